import type { Command } from 'commander';
import { addDirectory, addJson, type JsonFlags } from './common-options.ts';
import { requireStore, withStore } from './opening.ts';
import { Output } from './output.ts';
import { placeName } from './place.ts';
import { sizeText } from './progress.ts';

export function define(command: Command): void {
  addJson(addDirectory(command))
    .argument('<new-directory>', 'where to; an earlier backup of the same store gets only what is new')
    .addHelpText(
      'after',
      `
Takes the writer lock; a process that holds it calls store.backup(directory) itself. On the same device sealed segments are
hard links, which take no room. A backup that was interrupted refuses to open until it is run again.`,
    )
    .action(async (directory: string, target: string, { json }: JsonFlags) => {
      requireStore(directory);
      const { end, linked, copied, reused, linkedBytes, copiedBytes } = await withStore(directory, (store) =>
        store.backup(target),
      );
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
