import { type Command, InvalidArgumentError } from 'commander';
import { SHOWN_BYTES } from './printable.ts';

export interface JsonFlags {
  readonly json?: boolean;
}

export interface ShownFlags extends JsonFlags {
  /** False with --no-truncate. */
  readonly truncate: boolean;
}

export function addDirectory(command: Command, description = 'the store'): Command {
  return command.argument('<directory>', description);
}

export function addJson(command: Command): Command {
  return command.option('--json', 'print JSON, one object a line, bytes as base64');
}

export function addNoTruncate(command: Command): Command {
  return command.option(
    '--no-truncate',
    `show keys and values of more than ${SHOWN_BYTES} bytes whole`,
  );
}

/** Bytes of a key or a value that are shown. */
export function shownBytes({ truncate }: ShownFlags): number {
  return truncate ? SHOWN_BYTES : Number.POSITIVE_INFINITY;
}

export function nonNegativeInteger(text: string): number {
  if (!/^\d{1,15}$/.test(text))
    throw new InvalidArgumentError('It must be a whole number, 0 or more.');
  return Number(text);
}

export function positiveNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value > 0))
    throw new InvalidArgumentError('It must be a number above 0.');
  return value;
}
