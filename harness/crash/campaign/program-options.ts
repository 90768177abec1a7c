import { randomInt } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { Command } from 'commander';
import { parseWords, positive, seedNumber, UsageError } from '../../command-line.ts';
import { invokedAs, quoteWord } from '../../invocation.ts';

export interface ProgramOptions {
  /** Absolute. */
  readonly dataDirectory: string;
  readonly check: string;
  readonly workload: readonly string[];
  readonly seed: number;
  readonly seconds: number;
  /** Absolute. */
  readonly outDirectory: string;
  /** Does the same again. */
  readonly command: string;
}

const SECONDS = 60;

interface Flags {
  readonly dir: string;
  readonly check: string;
  readonly seed?: number;
  readonly seconds: number;
  readonly out: string;
}

/** The words after `program`. Undefined when help was asked for. Throws `UsageError`. */
export function parseProgramOptions(words: readonly string[]): ProgramOptions | undefined {
  const command = new Command(`${invokedAs('crash')} program`)
    .description(
      'Runs a program, records what it does to its directory, and runs a check on everything that a power cut may leave there.',
    )
    .requiredOption(
      '--dir <directory>',
      'where the program keeps its data; must be empty or absent, and is removed afterwards',
    )
    .requiredOption(
      '--check <command>',
      'gets such a directory as its last argument, and on its standard input the lines that the program had printed; exits with 0 when all is right',
    )
    .option('--seed <n>', 'of the images (default: random, and printed)', seedNumber)
    .option('--seconds <n>', 'time for the images', positive, SECONDS)
    .option('--out <directory>', 'directory for the report', './tidemark-crash')
    .argument(
      '<workload...>',
      'after --: the program, which prints a line for each thing that is durable from then on',
    );
  if (!parseWords(command, words)) return undefined;
  const flags = command.opts<Flags>();
  const seed = flags.seed ?? randomInt(2 ** 32);
  const dataDirectory = resolve(flags.dir);
  checkEmpty(dataDirectory);
  return {
    dataDirectory,
    check: flags.check,
    workload: command.args,
    seed,
    seconds: flags.seconds,
    outDirectory: resolve(flags.out),
    command: `${invokedAs('crash')} program --dir ${quoteWord(flags.dir)} --check ${quoteWord(flags.check)} --seed ${seed} -- ${command.args.map(quoteWord).join(' ')}`,
  };
}

/** It is written anew for each recording, so nothing of anybody may be in it. */
function checkEmpty(directory: string): void {
  let names: readonly string[];
  try {
    names = readdirSync(directory);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return;
    throw new UsageError(`--dir: ${message}`);
  }
  if (names.length > 0) {
    throw new UsageError(
      `--dir: ${directory} is not empty (${names.slice(0, 3).join(', ')}), and nothing of yours is removed: give one that is`,
    );
  }
}
