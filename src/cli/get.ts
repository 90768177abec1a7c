import type { Command } from 'commander';
import {
  addDirectory,
  addJson,
  addNoTruncate,
  type ShownFlags,
  shownBytes,
} from './common-options.ts';
import { ExitCode } from './exit-code.ts';
import { addKeyOptions, type KeyFlags, keyName, keyOf } from './key-option.ts';
import { withReader } from './opening.ts';
import { Output } from './output.ts';
import { printable } from './printable.ts';
import { base64 } from './record-lines.ts';
import { complain } from './standard-streams.ts';

export function define(command: Command): void {
  addJson(addNoTruncate(addKeyOptions(addDirectory(command))))
    .addHelpText('after', '\nExit status 2: the key is not there.')
    .action(async (directory: string, word: string | undefined, flags: ShownFlags & KeyFlags) => {
      const key = keyOf(word, flags);
      const output = new Output();
      await withReader(directory, async (reader) => {
        const value = reader.get(key);
        const ref = reader.refOf(key);
        if (value === undefined || ref === undefined) {
          process.exitCode = ExitCode.recoverable;
          if (flags.json) output.json('value', { key_b64: base64(key), found: false });
          else
            complain(
              `${keyName(key)} is not in ${directory}. Those that are: tidemark keys ${directory}`,
            );
        } else if (flags.json) {
          const place = { segment: ref.segmentId, offset: ref.offset };
          output.json('value', {
            key_b64: base64(key),
            found: true,
            ...place,
            value_b64: base64(value),
          });
        } else output.line(printable(value, shownBytes(flags)));
        await output.flush();
      });
    });
}
