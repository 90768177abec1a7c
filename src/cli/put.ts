import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import type { BytesLike } from '../engine/index.ts';
import { addJson, type JsonFlags } from './common-options.ts';
import { CommandError } from './failure.ts';
import {
  addKeyOptions,
  decoded,
  hasKeyOption,
  type KeyFlags,
  keyName,
  keyOf,
} from './key-option.ts';
import { withStore } from './opening.ts';
import { Output } from './output.ts';
import { placeName } from './place.ts';
import { counted } from './printable.ts';
import { base64 } from './record-lines.ts';

interface ValueFlags {
  readonly valueFile?: string;
  readonly valueBase64?: string;
  readonly valueHex?: string;
}

export function define(command: Command): void {
  addJson(
    addKeyOptions(command.argument('<directory>', 'the store; created when there is none'))
      .argument('[value]', 'the value, as UTF-8 text')
      .option('--value-base64 <bytes>', 'the value, as base64')
      .option('--value-file <file>', 'the bytes of a file; - is standard input')
      .option('--value-hex <bytes>', 'the value, as hexadecimal'),
  )
    .addHelpText(
      'after',
      `
tidemark put data city Reykjavík
tidemark put data --key-hex 00ff --value-file photo.jpg
The pair has survived a power cut by the time this ends. Behind -- words may begin with a dash.`,
    )
    .action(
      async (
        directory: string,
        first: string | undefined,
        second: string | undefined,
        flags: JsonFlags & KeyFlags & ValueFlags,
      ) => {
        // With the key in an option, the first word behind the directory is the value.
        const [keyWord, valueWord] = hasKeyOption(flags) ? [undefined, first] : [first, second];
        if (hasKeyOption(flags) && second !== undefined)
          throw new CommandError('give the key, once: as a word, or by an option');
        const key = keyOf(keyWord, flags);
        const value = valueBytes(valueWord, flags);
        const ref = await withStore(directory, (store) => store.putDurable(key, value));
        const output = new Output();
        if (flags.json)
          output.json('put', {
            key_b64: base64(key),
            segment: ref.segmentId,
            offset: ref.offset,
            bytes: ref.byteLength,
          });
        else
          output.line(
            `${keyName(key)}: ${counted(Buffer.byteLength(value), 'byte')} put at ${placeName(ref)}, durably`,
          );
        await output.flush();
      },
    );
}

function valueBytes(word: string | undefined, flags: ValueFlags): BytesLike {
  const { valueFile, valueBase64, valueHex } = flags;
  const given = [word, valueFile, valueBase64, valueHex].filter((form) => form !== undefined);
  if (given.length !== 1)
    throw new CommandError(
      'give the value, once: as the word behind the key, or with --value-file, --value-base64 or --value-hex. To remove a key: tidemark del DIRECTORY KEY',
    );
  if (word !== undefined) return word;
  if (valueBase64 !== undefined) return decoded(valueBase64, 'base64', '--value-base64');
  if (valueHex !== undefined) return decoded(valueHex.toLowerCase(), 'hex', '--value-hex');
  try {
    // 0 is standard input.
    return readFileSync(valueFile === '-' ? 0 : (valueFile as string));
  } catch (error) {
    throw new CommandError(`--value-file: ${(error as Error).message}`);
  }
}
