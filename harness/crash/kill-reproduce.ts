import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { ExitCode } from '../exit-code.ts';
import { repeatStore } from './kill-campaign.ts';
import { KillFailure } from './kill-store.ts';

/** Does the kills of one store again: `node dist/harness/crash/kill-reproduce.js --seed N --store N [--adapter NAME]`. */
interface Words {
  readonly seed: string;
  readonly store: string;
  readonly adapter?: string;
}

const words = new Command('kill-reproduce')
  .description('Repeats the kills of one store of a kill campaign, and keeps the store when a check fails.')
  .requiredOption('--seed <number>', 'of the campaign')
  .requiredOption('--store <number>', 'number of the store in it')
  .option('--adapter <name or path>', 'another store than tidemark')
  .parse()
  .opts<Words>();

const parent = mkdtempSync(join(tmpdir(), 'tidemark-kill-'));
const directory = join(parent, 'store');
try {
  const kills = await repeatStore(
    {
      directory,
      seed: Number(words.seed),
      ...(words.adapter !== undefined && { adapter: words.adapter }),
    },
    Number(words.store),
  );
  console.log(`${kills.length} kills, and every check passed`);
  rmSync(parent, { recursive: true, force: true });
} catch (error) {
  if (!(error instanceof KillFailure)) throw error;
  const { invariant, message, round, plan } = error;
  console.log(`${invariant} is broken after kill ${round} (${JSON.stringify(plan)}): ${message}`);
  console.log(`The store is kept in ${directory}`);
  process.exitCode = ExitCode.broken;
}
