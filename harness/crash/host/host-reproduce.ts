import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { ExitCode } from '../../exit-code.ts';
import { COMMAND_OUTPUT, complain, print, watchStandardStreams } from '../../standard-streams.ts';
import { runHost } from './host-campaign.ts';

watchStandardStreams('host-reproduce');

/**
 * Runs one scenario of a host campaign again: `node dist/harness/crash/host/host-reproduce.js
 * --seed N --scenario N`. What happens when depends on time, so it runs several times.
 */
interface Words {
  readonly seed: string;
  readonly scenario: string;
  readonly times: string;
}

const words = new Command('host-reproduce')
  .configureOutput(COMMAND_OUTPUT)
  .description('Runs one scenario of a host campaign again, and keeps the store when it fails.')
  .requiredOption('--seed <number>', 'of the campaign')
  .requiredOption('--scenario <number>', 'number of the scenario in the campaign')
  .option('--times <number>', 'how often, as time has its part in it', '20')
  .parse()
  .opts<Words>();

const [seed, only, times] = [words.seed, words.scenario, words.times].map(Number);
if (![seed, only, times].every((number) => Number.isSafeInteger(number) && (number ?? -1) >= 0)) {
  complain('host-reproduce: give whole numbers');
  process.exit(ExitCode.usage);
}
const directory = mkdtempSync(join(tmpdir(), 'tidemark-host-'));
process.exitCode = ExitCode.pass;
for (let time = 1; time <= (times as number) && process.exitCode === ExitCode.pass; time++) {
  const report = await runHost({
    directory,
    seed: seed as number,
    only: only as number,
    seconds: 0,
    parallel: 1,
  });
  for (const { invariant, scenario, message, directory: kept } of report.findings) {
    print(`${scenario}\n${invariant}: ${message}\nkept in ${kept}`);
    process.exitCode = ExitCode.broken;
  }
}
if (process.exitCode === ExitCode.pass) {
  rmSync(directory, { recursive: true });
  print(`nothing was found in ${times} runs`);
}
