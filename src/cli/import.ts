import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { checkJsonl } from '../engine/index.ts';
import { addJson, type JsonFlags } from './common-options.ts';
import { hasStore } from './directory-view.ts';
import { CommandError } from './failure.ts';
import { withStore } from './opening.ts';
import { Output } from './output.ts';
import { counted } from './printable.ts';
import { Progress } from './progress.ts';
import { WatchedFileSystem } from './watched-file-system.ts';

/** How often the file is read: once to check every line, and once to put them. */
const READINGS = 2;

export function define(command: Command): void {
  addJson(command)
    .argument('<directory>', 'the store; created when there is none')
    .argument('<file>', 'JSON lines, as `export` writes them')
    .addHelpText(
      'after',
      '\nEvery line is checked before the first is put. Keys that are there already get the new values.',
    )
    .action(async (directory: string, file: string, { json }: JsonFlags) => {
      if (file === '-')
        throw new CommandError('import reads its file twice; give a file instead of -');
      const count = await importFile(directory, resolve(file));
      const output = new Output();
      if (json) output.json('import', { keys: count });
      else output.line(`${counted(count, 'key')} put into ${directory}, durably`);
      await output.flush();
    });
}

async function importFile(directory: string, file: string): Promise<number> {
  const stat = statSync(file, { throwIfNoEntry: false });
  // Before the opening, which would make a store for a file whose name was mistyped.
  if (stat?.isFile() !== true) {
    const what = stat === undefined ? 'does not exist' : 'is no plain file';
    throw new CommandError(
      `${file} ${what}; give a file of JSON lines, as tidemark export writes it`,
    );
  }
  const isNew = !hasStore(directory);
  const progress = new Progress('importing', (READINGS + (isNew ? 1 : 0)) * stat.size);
  const fileSystem = new WatchedFileSystem((path) => path === file, progress.add);
  // A file that is malformed is to leave no store behind.
  if (isNew) await checkJsonl(fileSystem, file).finally(() => progress.end());
  return withStore(directory, (store) => store.importJsonl(file).finally(() => progress.end()), {
    fileSystem,
  });
}
