#!/usr/bin/env node
import { ExitCode } from '../exit-code.ts';
import { complain, print, watchStandardStreams } from '../standard-streams.ts';
import { FuzzCampaign, type FuzzResult } from './fuzz-campaign.ts';
import { keepFinding, readFinding, reproduceCommand } from './fuzz-findings.ts';
import { type FuzzOptions, parseFuzzOptions } from './fuzz-options.ts';
import { FuzzProcess } from './fuzz-process.ts';

watchStandardStreams('fuzz');

const LINE_INTERVAL_MS = 5_000;
const INPUT_SILENCE_MS = 30_000;

let options: FuzzOptions | undefined;
try {
  options = parseFuzzOptions(process.argv.slice(2));
} catch (error) {
  const { exitCode } = error as { exitCode?: number };
  process.exitCode = exitCode === 0 ? ExitCode.pass : ExitCode.usage;
}
if (options !== undefined)
  process.exitCode = await (options.reproduce === undefined
    ? fuzz(options)
    : reproduce(options.reproduce));

async function fuzz(options: FuzzOptions): Promise<ExitCode> {
  const { inputs, seed, target, outDirectory } = options;
  const only = target === undefined ? '' : ` --target ${target}`;
  complain(`fuzz: npm run fuzz -- --inputs ${inputs} --seed ${seed}${only}`);
  const startMs = performance.now();
  const interrupt = new AbortController();
  let exitCode: ExitCode = ExitCode.pass;
  const stop = (code: ExitCode) => () => {
    exitCode = code;
    interrupt.abort();
  };
  process.once('SIGINT', stop(ExitCode.interrupted));
  process.once('SIGTERM', stop(ExitCode.terminated));
  let lastLineMs = startMs;
  const campaign = new FuzzCampaign(options, interrupt.signal, (checked) => {
    if (performance.now() - lastLineMs < LINE_INTERVAL_MS) return;
    lastLineMs = performance.now();
    complain(`fuzz: ${checked} of ${inputs} inputs, ${rate(checked, startMs)} a second`);
  });
  let result: FuzzResult;
  try {
    result = await campaign.run();
  } catch (error) {
    complain(`fuzz: ${(error as Error).message}`);
    return ExitCode.usage;
  }
  report(result, outDirectory, seed, startMs);
  return result.findings.length > 0 ? ExitCode.broken : exitCode;
}

function report(
  { counts, findings }: FuzzResult,
  outDirectory: string,
  seed: number,
  startMs: number,
): void {
  const checked = Object.values(counts).reduce((sum, count) => sum + count, 0);
  const parts = Object.entries(counts).map(([name, count]) => `${name} ${count}`);
  const verdict = findings.length === 0 ? 'PASS' : `FAIL: ${findings.length} findings`;
  print(`${verdict}: ${checked} inputs, ${rate(checked, startMs)} a second (${parts.join(', ')})`);
  for (const finding of findings) {
    const directory = keepFinding(outDirectory, seed, finding);
    print(`\n${finding.target}: ${finding.message}\n  ${reproduceCommand(directory)}`);
  }
}

function rate(count: number, startMs: number): number {
  return Math.round((count * 1000) / (performance.now() - startMs));
}

async function reproduce(directory: string): Promise<ExitCode> {
  let kept: ReturnType<typeof readFinding>;
  try {
    kept = readFinding(directory);
  } catch (error) {
    complain(`fuzz: ${directory} holds no finding: ${(error as Error).message}`);
    return ExitCode.usage;
  }
  const child = new FuzzProcess();
  let message: string | undefined;
  try {
    message = (await child.check({ type: 'input', ...kept }, INPUT_SILENCE_MS)).failure?.message;
  } catch (error) {
    message = (error as Error).message;
  }
  await child.end();
  print(
    message === undefined ? 'PASS: not a finding any more' : `FAIL: ${kept.target}: ${message}`,
  );
  return message === undefined ? ExitCode.pass : ExitCode.broken;
}
