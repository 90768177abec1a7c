import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { ExitCode } from '../../exit-code.ts';
import { COMMAND_OUTPUT, complain, print, watchStandardStreams } from '../../standard-streams.ts';
import { repeatStore } from './kill-campaign.ts';
import { parseScript } from './kill-script.ts';
import { KillFailure } from './kill-store.ts';

watchStandardStreams('kill-reproduce');

/**
 * Does the kills of one store again: `node dist/harness/crash/kills/kill-reproduce.js --seed N
 * --store N [--adapter NAME]`, or those that are left of them after shrinking: `--seed N --script
 * TEXT`, with the seed of the store.
 */
interface Words {
  readonly seed: string;
  readonly store?: string;
  readonly script?: string;
  readonly adapter?: string;
}

const words = new Command('kill-reproduce')
  .configureOutput(COMMAND_OUTPUT)
  .description(
    'Repeats the kills of one store of a kill campaign, and keeps the store when a check fails.',
  )
  .requiredOption('--seed <number>', 'of the campaign, or, with a script, of the store')
  .option('--store <number>', 'number of the store in the campaign')
  .option('--script <text>', 'the steps and deaths of each process, as a report gives them')
  .option('--adapter <name or path>', 'another store than tidemark')
  .parse()
  .opts<Words>();

if ((words.store === undefined) === (words.script === undefined)) {
  complain('kill-reproduce: give either --store or --script');
  process.exit(ExitCode.usage);
}
const what = words.script === undefined ? Number(words.store) : parseScript(words.script);
const parent = mkdtempSync(join(tmpdir(), 'tidemark-kill-'));
const directory = join(parent, 'store');
try {
  const { adapter } = words;
  await repeatStore(
    { directory, seed: Number(words.seed), ...(adapter !== undefined && { adapter }) },
    what,
  );
  print('every check passed');
  rmSync(parent, { recursive: true, force: true });
} catch (error) {
  if (!(error instanceof KillFailure)) throw error;
  const { invariant, message, round, plan } = error;
  print(`${invariant} is broken after kill ${round} (${JSON.stringify(plan)}): ${message}`);
  print(`The store is kept in ${directory}`);
  process.exitCode = ExitCode.broken;
}
