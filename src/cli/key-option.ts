import type { Command } from 'commander';
import { CommandError } from './failure.ts';
import { printable, SHOWN_BYTES } from './printable.ts';

export interface KeyFlags {
  readonly key?: string;
  readonly keyBase64?: string;
  readonly keyHex?: string;
}

/** A key is the word behind the directory, or one of these options where it is no text. */
export function addKeyOptions(command: Command): Command {
  return command
    .argument('[key]', 'the key, as UTF-8 text')
    .option('--key <text>', 'the same, for a key that begins with a dash')
    .option('--key-base64 <bytes>', 'the key, as base64')
    .option('--key-hex <bytes>', 'the key, as hexadecimal');
}

/** Was the key given by an option, so that no word on the line is it? */
export function hasKeyOption({ key, keyBase64, keyHex }: KeyFlags): boolean {
  return (key ?? keyBase64 ?? keyHex) !== undefined;
}

/** The bytes of the one key that was given, as a word or by an option. */
export function keyOf(word: string | undefined, flags: KeyFlags): Uint8Array {
  const { key: option, keyBase64, keyHex } = flags;
  const given = [word, option, keyBase64, keyHex].filter((form) => form !== undefined);
  if (given.length !== 1)
    throw new CommandError(
      'give the key, once: as the word behind the directory, or with --key, --key-base64 or --key-hex. To see the keys that are there: tidemark keys DIRECTORY',
    );
  const key = word ?? option;
  if (key !== undefined) return Buffer.from(key);
  if (keyBase64 !== undefined) return decoded(keyBase64, 'base64', '--key-base64');
  return decoded((keyHex as string).toLowerCase(), 'hex', '--key-hex');
}

/** `Buffer.from` skips what it cannot decode, which would look for another key. */
export function decoded(text: string, encoding: 'base64' | 'hex', flag: string): Buffer {
  const bytes = Buffer.from(text, encoding);
  const padded = encoding === 'base64' ? text.padEnd(Math.ceil(text.length / 4) * 4, '=') : text;
  if (bytes.toString(encoding) !== padded)
    throw new CommandError(
      `${flag}: '${text}' is not ${encoding === 'hex' ? 'hexadecimal' : 'base64'}`,
    );
  return bytes;
}

/** A key in a sentence. */
export function keyName(key: Uint8Array): string {
  return key.length === 0 ? 'the empty key' : `the key ${printable(key, SHOWN_BYTES)}`;
}
