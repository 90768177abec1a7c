import type { Command } from 'commander';
import {
  addDirectory,
  addJson,
  addNoTruncate,
  nonNegativeInteger,
  type ShownFlags,
  shownBytes,
} from './common-options.ts';
import { CommandError } from './failure.ts';
import { decoded } from './key-option.ts';
import { withReader } from './opening.ts';
import { Output } from './output.ts';
import { printable } from './printable.ts';
import { base64 } from './record-lines.ts';

interface KeysFlags extends ShownFlags {
  readonly prefix?: string;
  readonly prefixHex?: string;
  readonly limit?: number;
}

export function define(command: Command): void {
  addJson(addNoTruncate(addDirectory(command)))
    .option('--prefix <text>', 'only keys that begin with this, as UTF-8 text')
    .option('--prefix-hex <bytes>', 'the same, as hexadecimal')
    .option('--limit <n>', 'stop after so many keys', nonNegativeInteger)
    .addHelpText(
      'after',
      `
A key is a line, in byte order. What is not printable text is shown as hex:... or b64:...; \`get\` takes such a key with
--key-hex or --key-base64.`,
    )
    .action(async (directory: string, flags: KeysFlags) => {
      const prefix = prefixOf(flags);
      const output = new Output();
      await withReader(directory, async (reader) => {
        const keys: Uint8Array[] = [];
        for (const key of reader.keys()) if (startsWith(key, prefix)) keys.push(key);
        keys.sort(Buffer.compare);
        for (const key of keys.slice(0, flags.limit ?? keys.length)) {
          if (flags.json) output.json('key', { key_b64: base64(key) });
          else output.line(printable(key, shownBytes(flags)));
          if (output.isFull) await output.flush();
        }
      });
      await output.flush();
    });
}

function prefixOf({ prefix, prefixHex }: KeysFlags): Buffer {
  if (prefix !== undefined && prefixHex !== undefined)
    throw new CommandError('give the prefix, once: --prefix or --prefix-hex');
  return prefixHex === undefined
    ? Buffer.from(prefix ?? '')
    : decoded(prefixHex.toLowerCase(), 'hex', '--prefix-hex');
}

function startsWith(key: Uint8Array, prefix: Buffer): boolean {
  return key.length >= prefix.length && prefix.equals(key.subarray(0, prefix.length));
}
