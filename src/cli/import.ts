import type { Command } from 'commander';
import { addJson, type JsonFlags } from './common-options.ts';
import { CommandError } from './failure.ts';
import { withStore } from './opening.ts';
import { Output } from './output.ts';

export function define(command: Command): void {
  addJson(command)
    .argument('<directory>', 'the store; created when there is none')
    .argument('<file>', 'JSON lines, as `export` writes them')
    .addHelpText(
      'after',
      '\nEvery line is checked before the first is put. Keys that are there already get the new values.',
    )
    .action(async (directory: string, file: string, { json }: JsonFlags) => {
      // Read twice: to check every line, and to put them.
      if (file === '-') throw new CommandError('import reads its file twice; give a file instead of -');
      const count = await withStore(directory, (store) => store.importJsonl(file));
      const output = new Output();
      if (json) output.json('import', { keys: count });
      else output.line(`${count} keys put into ${directory}, durably`);
      await output.flush();
    });
}
