import { type Command, CommanderError, InvalidArgumentError } from 'commander';

/**
 * The command line, or a file that it names, asks for something impossible; the message names the
 * flag.
 */
export class UsageError extends Error {}

/**
 * Gives the words to the command. False when help was asked for, and given. Throws `UsageError`
 * with what commander complains about, on one line.
 */
export function parseWords(command: Command, words: readonly string[]): boolean {
  let complaint = '';
  command.exitOverride().configureOutput({
    outputError: (text) => {
      complaint = text;
    },
  });
  try {
    command.parse(words, { from: 'user' });
    return true;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return false;
    const oneLine = complaint.trim().replace(/\s*\n\s*/g, ' ');
    throw new UsageError(oneLine.replace(/^error: /, ''));
  }
}

/** Parsers of options. They throw commander's error, with what to give instead. */

export function positive(text: string): number {
  const value = Number(text);
  return Number.isFinite(value) && value > 0 ? value : invalid('Give a number above 0.');
}

export function seedNumber(text: string): number {
  return integerBetween(text, 0, 2 ** 32 - 1);
}

export function integerBetween(text: string, least: number, most: number): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  return value >= least && value <= most
    ? value
    : invalid(`Give an integer from ${least} to ${most}.`);
}

export function invalid(advice: string): never {
  throw new InvalidArgumentError(advice);
}
