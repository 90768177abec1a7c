import type { Command } from 'commander';
import { addDirectory, addJson, type JsonFlags } from './common-options.ts';
import { ExitCode } from './exit-code.ts';
import { addKeyOptions, type KeyFlags, keyName, keyOf } from './key-option.ts';
import { requireStore, withStore } from './opening.ts';
import { Output } from './output.ts';
import { base64 } from './record-lines.ts';
import { complain } from './standard-streams.ts';

export function define(command: Command): void {
  addJson(addKeyOptions(addDirectory(command)))
    .addHelpText(
      'after',
      `
The key has gone for good, a power cut included, by the time this ends. Exit status 2: it was not there, and nothing was
written.`,
    )
    .action(async (directory: string, word: string | undefined, flags: JsonFlags & KeyFlags) => {
      const key = keyOf(word, flags);
      requireStore(directory);
      const found = await withStore(directory, async (store) => {
        // A delete of an absent key would be recorded as well.
        if (!store.has(key)) return false;
        store.delete(key);
        await store.sync();
        return true;
      });
      if (!found) process.exitCode = ExitCode.recoverable;
      const output = new Output();
      if (flags.json) output.json('del', { key_b64: base64(key), found });
      else if (found) output.line(`${keyName(key)} deleted, durably`);
      else
        complain(
          `${keyName(key)} is not in ${directory}. Those that are: tidemark keys ${directory}`,
        );
      await output.flush();
    });
}
