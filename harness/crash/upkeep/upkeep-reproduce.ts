import { Command } from 'commander';
import { ExitCode } from '../../exit-code.ts';
import { COMMAND_OUTPUT, complain, print, watchStandardStreams } from '../../standard-streams.ts';
import { checkHistory, type UpkeepFinding } from './upkeep-finding.ts';

watchStandardStreams('upkeep-reproduce');

/**
 * Runs one history of upkeep again: `node dist/harness/crash/upkeep/upkeep-reproduce.js --seed N
 * --steps 3,7,12`.
 */
const words = new Command('upkeep-reproduce')
  .configureOutput(COMMAND_OUTPUT)
  .description('Runs one history of upkeep again, and makes it shorter when it fails.')
  .requiredOption('--seed <number>', 'of the history')
  .option('--steps <list>', 'only these of its steps, by their numbers: 3,7,12')
  .parse()
  .opts<{ readonly seed: string; readonly steps?: string }>();

const seed = Number(words.seed);
const steps = words.steps?.split(',').map(Number);
if (![seed, ...(steps ?? [])].every((number) => Number.isSafeInteger(number) && number >= 0)) {
  complain('upkeep-reproduce: give whole numbers');
  process.exit(ExitCode.usage);
}
const { finding } = await checkHistory(seed, steps);
if (finding === undefined) print('nothing was found');
else {
  print(
    `${finding.invariant}: ${finding.message}\n\n${describeSteps(finding)}\n\n${finding.stack}`,
  );
  process.exitCode = ExitCode.broken;
}

function describeSteps({ kept }: UpkeepFinding): string {
  return kept.map(({ number, kind }) => `  ${number}  ${kind}`).join('\n');
}
