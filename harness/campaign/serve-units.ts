import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { resultDigest, type UnitFinding, type UnitPart, type UnitResult } from './unit.ts';
import type { FoundByUnit, UnitLine } from './unit-lines.ts';
import type { FromUnitProcess, ToUnitProcess } from './unit-messages.ts';

const ALIVE_INTERVAL_MS = 1000;

/** The whole life of a process that runs units, one after the other, until its parent is gone. */
export function serveUnits(parts: readonly UnitPart[]): void {
  let stop = new AbortController();
  // A terminal signals the whole process group; only the parent decides what an interrupt means.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => {});
  process.on('disconnect', () => process.exit());
  process.on('message', (message: ToUnitProcess) => {
    if (message.type === 'end') process.exit();
    if (message.type === 'stop') return stop.abort();
    stop = new AbortController();
    void run(parts, message, stop.signal).then(
      (line) => send({ type: 'done', line }),
      (error: Error) => send({ type: 'failed', message: error.stack ?? String(error) }),
    );
  });
  setInterval(() => {
    // The parent may have died before anybody listened.
    if (!process.connected) process.exit();
    send({ type: 'alive' });
  }, ALIVE_INTERVAL_MS);
}

async function run(
  parts: readonly UnitPart[],
  { campaign, part: name, unit, directory, blob }: Extract<ToUnitProcess, { type: 'run' }>,
  signal: AbortSignal,
): Promise<UnitLine> {
  const part = parts.find((one) => one.name === name);
  if (part === undefined) throw new Error(`no part is called ${name}`);
  mkdirSync(directory, { recursive: true });
  const startMs = performance.now();
  const before = process.cpuUsage();
  const result = await part.run(unit, { campaign, directory, signal });
  const { user, system } = process.cpuUsage(before);
  const findings = result.findings.map((finding, at) =>
    keep(finding, blob, `failures/${name}-${unit}-${at}`),
  );
  rmSync(directory, { recursive: true, force: true });
  return {
    part: name,
    unit,
    status: statusOf(result),
    counts: result.counts,
    measured: result.measured ?? {},
    digest: resultDigest(result),
    ms: Math.round(performance.now() - startMs),
    cpuMs: Math.round((user + system) / 1000),
    ...(result.skipped === undefined ? {} : { skipped: result.skipped }),
    findings,
  };
}

function statusOf({ skipped, findings }: UnitResult): UnitLine['status'] {
  if (findings.length > 0) return 'broken';
  return skipped === undefined ? 'held' : 'skipped';
}

/** Keeps the store of a finding, and what there is to say about it. */
function keep(finding: UnitFinding, blob: string, kept: string): FoundByUnit {
  const { invariant, message, steps, command, details, keepStore } = finding;
  const directory = join(blob, kept);
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  keepStore?.(directory);
  const lines = [`${invariant}: ${message}`, `again with: ${command}`, '', ...details];
  writeFileSync(join(directory, 'report.txt'), `${lines.join('\n')}\n`);
  return { invariant, message, steps, command, kept };
}

function send(message: FromUnitProcess): void {
  // The parent may have been killed meanwhile, and an error that nobody takes would be printed.
  if (process.connected) process.send?.(message, undefined, {}, () => {});
}
