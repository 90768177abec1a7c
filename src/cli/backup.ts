import { dirname, resolve } from 'node:path';
import type { Command } from 'commander';
import type { BackupReport } from '../engine/index.ts';
import { addDirectory, addJson, type JsonFlags } from './common-options.ts';
import { telling } from './failure.ts';
import { requireStore, withStore } from './opening.ts';
import { Output } from './output.ts';
import { placeName } from './place.ts';
import { Progress, sizeText } from './progress.ts';
import { WatchedFileSystem } from './watched-file-system.ts';

export function define(command: Command): void {
  addJson(addDirectory(command))
    .argument(
      '<new-directory>',
      'where to; an earlier backup of the same store gets only what is new',
    )
    .addHelpText(
      'after',
      `
Takes the writer lock; a process that holds it calls store.backup(directory) itself. On the same device sealed segments are
hard links, which take no room. A backup that was interrupted refuses to open until it is run again.`,
    )
    .action(async (directory: string, target: string, { json }: JsonFlags) => {
      requireStore(directory);
      const report = await backupStore(directory, target);
      const { end, linked, copied, reused, linkedBytes, copiedBytes } = report;
      const output = new Output();
      if (json) {
        const until = { segment: end.segmentId, offset: end.offset, nextTxid: end.nextTxid };
        output.json('backup', { end: until, linked, copied, reused, linkedBytes, copiedBytes });
      } else {
        output.line(
          `segments: ${linked} linked (${sizeText(linkedBytes)}), ${copied} copied (${sizeText(copiedBytes)}), ${reused} there already`,
        );
        output.line(`${target} holds every record before ${placeName(end)}`);
      }
      await output.flush();
    });
}

/** How much will be copied is only known when links have been tried. */
function backupStore(directory: string, target: string): Promise<BackupReport> {
  let progress: Progress | undefined;
  const source = resolve(directory);
  const fileSystem = new WatchedFileSystem(
    (path) => dirname(path) === source,
    (sizeBytes) => progress?.add(sizeBytes),
  );
  return withStore(
    directory,
    (store) => {
      progress = new Progress('copying');
      return telling(target, store.backup(target)).finally(() => progress?.end());
    },
    { fileSystem },
  );
}
