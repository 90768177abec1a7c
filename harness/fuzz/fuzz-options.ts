import { randomInt } from 'node:crypto';
import { resolve } from 'node:path';
import { Command, Option } from 'commander';
import { integerBetween, seedNumber } from '../command-line.ts';
import { COMMAND_OUTPUT } from '../standard-streams.ts';
import { TARGETS } from './targets.ts';

export interface FuzzOptions {
  readonly inputs: number;
  readonly seed: number;
  readonly workers: number;
  /** Absolute. */
  readonly outDirectory: string;
  /** Undefined for all. */
  readonly target: string | undefined;
  /** A kept finding, absolute, to be checked instead of new inputs. */
  readonly reproduce: string | undefined;
}

const HELP = `
Exit status:
  0        every input was taken or refused as it should be
  1        a finding: shrunk and kept under --out, with the command that reproduces it
  2        a wrong option, or a directory that cannot be used
  130 143  interrupted (Ctrl-C, SIGTERM), after a report

A nightly run: --inputs 1000000. The same seed and number of inputs give the same inputs.`;

/** Throws a `CommanderError`, for help as well. */
export function parseFuzzOptions(words: readonly string[]): FuzzOptions {
  const command = new Command('fuzz')
    .configureOutput(COMMAND_OUTPUT)
    .description(
      'Mutated inputs against everything that reads bytes of strangers: nothing crashes, hangs or grows.',
    )
    .option('--inputs <n>', 'how many', count, 50_000)
    .option('--seed <n>', 'of the inputs (default: random, and printed)', seedNumber)
    .option('--workers <n>', 'processes that check', count, 2)
    .option('--out <directory>', 'for what is found', './tidemark-fuzz')
    .addOption(
      new Option('--target <name>', 'only this entrance').choices(TARGETS.map(({ name }) => name)),
    )
    .option('--reproduce <directory>', 'check a kept finding again')
    .addHelpText('after', HELP)
    .showSuggestionAfterError()
    .exitOverride()
    .parse(words, { from: 'user' });
  const flags = command.opts();
  return {
    inputs: flags.inputs,
    seed: flags.seed ?? randomInt(2 ** 32),
    workers: flags.workers,
    outDirectory: resolve(flags.out),
    target: flags.target,
    reproduce: flags.reproduce === undefined ? undefined : resolve(flags.reproduce),
  };
}

function count(text: string): number {
  return integerBetween(text, 1, 2 ** 31);
}
