import { type Command, InvalidArgumentError } from 'commander';
import type { Probe, Store } from '../engine/index.ts';
import { addDirectory, addJson, type JsonFlags } from './common-options.ts';
import { CommandError, telling } from './failure.ts';
import { interruptible } from './interruption.ts';
import { requireStore, withStore } from './opening.ts';
import { Output } from './output.ts';
import { counted } from './printable.ts';
import { Progress, sizeText } from './progress.ts';

interface CompactFlags extends JsonFlags {
  readonly deadRatio?: number;
}

export function define(command: Command): void {
  addJson(addDirectory(command))
    .argument(
      '[new-directory]',
      'write the live keys into a new store there instead; must be empty or not exist',
    )
    .option(
      '--dead-ratio <share>',
      'in place: merge segments of which this share is garbage',
      share,
    )
    .addHelpText(
      'after',
      `
Takes the writer lock. In place (without a new directory), it may be interrupted at any time: what was merged before
stays merged.`,
    )
    .action(
      async (directory: string, target: string | undefined, { json, deadRatio }: CompactFlags) => {
        if (target !== undefined && deadRatio !== undefined)
          throw new CommandError(
            '--dead-ratio is for compaction in place; a new directory gets no garbage',
          );
        requireStore(directory);
        const output = new Output();
        if (target !== undefined) {
          const keys = await compacting(directory, async (store, signal) => {
            await telling(target, store.compactTo(target, { signal }));
            return store.size;
          });
          if (json) output.json('compact', { keys, directory: target });
          else output.line(`${counted(keys, 'key')} written to ${target}`);
        } else {
          const report = await compacting(directory, (store, signal) =>
            store.compact({ signal, ...(deadRatio === undefined ? {} : { deadRatio }) }),
          );
          const { merges, inputBytes, outputBytes } = report;
          if (json) output.json('compact', { ...report });
          else if (merges === 0) output.line('nothing is worth a merge');
          else
            output.line(
              `${counted(merges, 'merge')}: ${sizeText(inputBytes)} became ${sizeText(outputBytes)}`,
            );
        }
        await output.flush();
      },
    );
}

/** Which segments will be worth a merge is not known beforehand. */
function compacting<T>(
  directory: string,
  work: (store: Store, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const progress = new Progress('compacting');
  const probe: Probe = {
    read: (_operation, site, _segmentId, _offset, sizeBytes) => {
      if (site === 'compact') progress.add(sizeBytes);
    },
  };
  const run = (store: Store) =>
    interruptible((signal) => work(store, signal)).finally(() => progress.end());
  return withStore(directory, run, { probe });
}

function share(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value >= 0 && value <= 1))
    throw new InvalidArgumentError('It must be a number from 0 to 1.');
  return value;
}
