import type { Command } from 'commander';
import type { ScannedRecord, StoreReader } from '../engine/index.ts';
import {
  addDirectory,
  addJson,
  addNoTruncate,
  nonNegativeInteger,
  type ShownFlags,
  shownBytes,
} from './common-options.ts';
import { withReader } from './opening.ts';
import { Output } from './output.ts';
import { type Place, parsePlace } from './place.ts';
import { RecordLines } from './record-lines.ts';

interface ScanFlags extends ShownFlags {
  readonly limit?: number;
  readonly from?: string;
  readonly follow?: boolean;
}

export function define(command: Command): void {
  addJson(addNoTruncate(addDirectory(command)))
    .option('--limit <n>', 'stop after so many records', nonNegativeInteger)
    .option('--from <segment:offset>', 'begin at the first record at or after this place')
    .option('--follow', 'go on with what is appended, until interrupted')
    .addHelpText(
      'after',
      `
A line is PLACE, TXID, TYPE (put, delete, raw), KEY and VALUE, between tabs. What is not printable text is shown as
hex:... or b64:... Overwritten and deleted records are there as long as no compaction has removed them.`,
    )
    .action(async (directory: string, flags: ScanFlags) => {
      const from = flags.from === undefined ? undefined : parsePlace(flags.from);
      await withReader(directory, (reader) => scan(reader, flags, from), { keys: false });
    });
}

async function scan(reader: StoreReader, flags: ScanFlags, from: Place | undefined): Promise<void> {
  const output = new Output();
  const lines = new RecordLines(output, shownBytes(flags));
  const write = flags.json ? lines.json.bind(lines) : lines.text.bind(lines);
  let left = flags.limit ?? Number.POSITIVE_INFINITY;
  if (left > 0) {
    for (const record of reader.scan(from?.segmentId)) {
      if (from !== undefined && isBefore(record, from)) continue;
      write(record);
      if (output.isFull) await output.flush();
      if (--left === 0) break;
    }
  }
  await output.flush();
  if (flags.follow !== true || left === 0) return;
  for await (const record of reader.follow()) {
    if (from !== undefined && isBefore(record, from)) continue;
    write(record);
    // At once: somebody is watching.
    await output.flush();
    if (--left === 0) break;
  }
}

export function isBefore({ ref }: ScannedRecord, place: Place): boolean {
  return (
    ref.segmentId < place.segmentId ||
    (ref.segmentId === place.segmentId && ref.offset < place.offset)
  );
}
