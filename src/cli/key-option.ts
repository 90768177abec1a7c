import type { Command } from 'commander';
import { CommandError } from './failure.ts';

export interface KeyFlags {
  readonly key?: string;
  readonly keyBase64?: string;
  readonly keyHex?: string;
}

export function addKeyOptions(command: Command): Command {
  return command
    .option('--key <text>', 'the key, as UTF-8 text')
    .option('--key-base64 <bytes>', 'the key, as base64')
    .option('--key-hex <bytes>', 'the key, as hexadecimal');
}

/** The bytes of the one key that was given. */
export function keyOf({ key, keyBase64, keyHex }: KeyFlags): Uint8Array {
  const given = [key, keyBase64, keyHex].filter((word) => word !== undefined);
  if (given.length !== 1)
    throw new CommandError('give the key, once: --key, --key-base64 or --key-hex');
  if (key !== undefined) return Buffer.from(key);
  if (keyBase64 !== undefined) return decoded(keyBase64, 'base64', '--key-base64');
  return decoded((keyHex as string).toLowerCase(), 'hex', '--key-hex');
}

/** `Buffer.from` skips what it cannot decode, which would look for another key. */
function decoded(text: string, encoding: 'base64' | 'hex', flag: string): Buffer {
  const bytes = Buffer.from(text, encoding);
  const padded = encoding === 'base64' ? text.padEnd(Math.ceil(text.length / 4) * 4, '=') : text;
  if (bytes.toString(encoding) !== padded)
    throw new CommandError(
      `${flag}: '${text}' is not ${encoding === 'hex' ? 'hexadecimal' : 'base64'}`,
    );
  return bytes;
}
