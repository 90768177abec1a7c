import { randomInt } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import {
  checkBuild,
  describeUnit,
  planCampaign,
  readCampaign,
  unitsOf,
} from '../../campaign/campaign-file.ts';
import type { CampaignFile } from '../../campaign/campaign-schema.ts';
import { mergeBlobs } from '../../campaign/merge.ts';
import {
  describeMerged,
  mergedCases,
  mergedMetrics,
  mergedPage,
  mergedSummary,
} from '../../campaign/merged-report.ts';
import { runShard, type ShardEnd, writeWhole } from '../../campaign/run-shard.ts';
import { parseShard, parseUnits, unitsOfShard } from '../../campaign/shard.ts';
import type { UnitName, UnitPart } from '../../campaign/unit.ts';
import { parseWords, UsageError } from '../../command-line.ts';
import { ExitCode } from '../../exit-code.ts';
import { invokedAs, quoteWord } from '../../invocation.ts';
import { complain, print } from '../../standard-streams.ts';
import { junitXml } from '../report/crash-report-junit.ts';
import {
  type MergeFlags,
  mergeCommand,
  type PlanFlags,
  planCommand,
  type ShardFlags,
  shardCommand,
} from './campaign-options.ts';
import { CRASH_PARTS, MUTANT_PARTS, WANTED } from './crash-parts.ts';

/** `plan`: the campaign as JSON on the standard output. */
export async function planUnits(words: readonly string[]): Promise<ExitCode> {
  const command = planCommand();
  if (!parseWords(command, words)) return ExitCode.pass;
  const { profile, parts, seed, workloads, stores, disks, mutants } = command.opts<PlanFlags>();
  const all = mutants ? MUTANT_PARTS : CRASH_PARTS;
  const wanted = { ...WANTED[profile] };
  if (workloads !== undefined) wanted.states = workloads;
  if (stores !== undefined) wanted.kills = stores;
  if (disks !== undefined) wanted.blocks = disks;
  const campaign = await planCampaign(
    chosen(all, parts),
    profile,
    // Mutants are compared from one run to the next.
    seed ?? (mutants ? 1 : randomInt(2 ** 32)),
    wanted,
  );
  print(JSON.stringify(campaign, undefined, 1));
  return ExitCode.pass;
}

function chosen(all: readonly UnitPart[], names: readonly string[] | undefined): UnitPart[] {
  for (const name of names ?? [])
    if (!all.some((part) => part.name === name))
      throw new UsageError(
        `--parts: '${name}' is none of ${all.map((part) => part.name).join(', ')}`,
      );
  return all.filter(({ name }) => names?.includes(name) ?? true);
}

/** `--campaign`: runs units, and leaves a blob. */
export async function runUnits(words: readonly string[]): Promise<ExitCode> {
  const command = shardCommand();
  if (!parseWords(command, words)) return ExitCode.pass;
  const flags = command.opts<ShardFlags>();
  if (flags.shard !== undefined && flags.units !== undefined)
    throw new UsageError('--shard and --units exclude each other');
  touchBazelStatus();
  const campaign = readCampaign(flags.campaign);
  checkBuild(campaign);
  const shard = flags.shard === undefined ? undefined : parseShard(flags.shard, process.env);
  const units =
    shard !== undefined
      ? unitsOfShard(campaign, shard)
      : (flags.units?.flatMap((text) => parseUnits(text, campaign)) ?? unitsOf(campaign));
  const interrupt = new AbortController();
  let by: 'SIGINT' | 'SIGTERM' | undefined;
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => {
      by ??= signal;
      interrupt.abort();
    });
  const directory = resolve(flags.resume ?? flags.out);
  const tell = tellUnits(campaign, units.length);
  const end = await runShard({
    campaign,
    units,
    shard: shard ?? (flags.units === undefined ? { index: 1, count: 1 } : undefined),
    directory,
    resumes: flags.resume !== undefined,
    workers: flags.workers,
    seconds: flags.seconds,
    program: new URL('./unit-worker.js', import.meta.url),
    signal: interrupt.signal,
    onUnit: tell,
  });
  print(describeShard(end, directory, flags.campaign));
  if (end.broken > 0) return ExitCode.broken;
  if (by !== undefined) return by === 'SIGINT' ? ExitCode.interrupted : ExitCode.terminated;
  return Object.keys(end.notDone).length > 0 ? ExitCode.inconclusive : ExitCode.pass;
}

/** Bazel runs every shard alike where nobody says that this one knows of shards. */
function touchBazelStatus(): void {
  const path = process.env.TEST_SHARD_STATUS_FILE;
  if (path !== undefined) writeWhole(path, '');
}

const TELL_INTERVAL_MS = 10_000;

function tellUnits(campaign: CampaignFile, total: number) {
  let toldMs = performance.now();
  return (
    line: UnitName & { readonly findings: readonly { invariant: string; message: string }[] },
    done: number,
  ): void => {
    for (const { invariant, message } of line.findings)
      complain(`${describeUnit(campaign, line)}: ${invariant}: ${message.split('\n', 1)[0]}`);
    if (performance.now() - toldMs < TELL_INTERVAL_MS) return;
    toldMs = performance.now();
    complain(`${done} of ${total} units  now ${describeUnit(campaign, line)}`);
  };
}

function describeShard(end: ShardEnd, directory: string, campaign: string): string {
  const notDone = Object.entries(end.notDone);
  const verdict = end.broken > 0 ? 'BROKEN' : notDone.length > 0 ? 'INCONCLUSIVE' : 'DONE';
  return [
    `${verdict}: shard ${end.shard}: ${end.done} units, ${end.broken} broken, ${end.skipped} skipped`,
    ...end.trouble.map((line) => `  ${line}`),
    ...(notDone.length === 0
      ? []
      : [
          `  not done   ${notDone.map(([part, list]) => `${part}:${list}`).join(' ')}`,
          `  go on      ${invokedAs('crash')} --campaign ${quoteWord(campaign)} --shard ${end.shard} --resume ${quoteWord(directory)}`,
        ]),
    `  blob       ${directory}`,
  ].join('\n');
}

/** `merge-reports`: the verdict of the whole, and its report. */
export async function mergeUnits(words: readonly string[]): Promise<ExitCode> {
  const command = mergeCommand();
  if (!parseWords(command, words)) return ExitCode.pass;
  const flags = command.opts<MergeFlags>();
  const campaign = readCampaign(flags.campaign);
  const merged = mergeBlobs(
    campaign,
    command.args.map((path) => resolve(path)),
  );
  const out = resolve(flags.out);
  mkdirSync(out, { recursive: true });
  const failures = join(out, 'failures');
  rmSync(failures, { recursive: true, force: true });
  for (const [at, { kept }] of merged.findings.entries())
    if (kept !== undefined && existsSync(kept))
      cpSync(kept, join(failures, String(at + 1)), { recursive: true });
  const parts = [...CRASH_PARTS, ...MUTANT_PARTS];
  const invariants = Object.fromEntries(parts.map((part) => [part.name, part.invariants]));
  const again = `${invokedAs('crash')} --campaign ${quoteWord(flags.campaign)}`;
  const files: Readonly<Record<string, string>> = {
    'summary.json': `${JSON.stringify(mergedSummary(campaign, merged, again), undefined, 2)}\n`,
    'junit.xml': junitXml('tidemark-campaign', mergedCases(merged, invariants), 0),
    'report.html': mergedPage(campaign, merged, again, invariants),
    'metrics.prom': mergedMetrics(campaign, merged, Date.now() / 1000),
  };
  for (const [name, text] of Object.entries(files)) writeWhole(join(out, name), text);
  print(describeMerged(merged, again));
  print(
    `  report     ${Object.keys(files)
      .map((name) => join(out, name))
      .join(', ')}`,
  );
  return ExitCode[merged.verdict];
}
