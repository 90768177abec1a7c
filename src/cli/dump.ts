import type { Command } from 'commander';
import { addDirectory, addJson, type JsonFlags, nonNegativeInteger } from './common-options.ts';
import { withReader } from './opening.ts';
import { Output } from './output.ts';
import { parsePlace, placeName } from './place.ts';
import { TYPE_NAMES } from './record-lines.ts';
import { isBefore } from './scan.ts';

interface DumpFlags extends JsonFlags {
  readonly limit?: number;
  readonly from?: string;
}

export function define(command: Command): void {
  addJson(addDirectory(command))
    .option('--limit <n>', 'stop after so many frames', nonNegativeInteger)
    .option('--from <segment:offset>', 'begin at the first frame at or after this place')
    .addHelpText(
      'after',
      `
A line is PLACE, TXID, TYPE, bytes of the KEY, of the PAYLOAD and of the whole FRAME, between tabs. Every frame that is
listed was read and its checksum holds. For a damaged store use hexdump and salvage.`,
    )
    .action(async (directory: string, flags: DumpFlags) => {
      const from = flags.from === undefined ? undefined : parsePlace(flags.from);
      const output = new Output();
      let left = flags.limit ?? Number.POSITIVE_INFINITY;
      await withReader(
        directory,
        async (reader) => {
          for (const record of left > 0 ? reader.scan(from?.segmentId) : []) {
            if (from !== undefined && isBefore(record, from)) continue;
            const { ref, type, txid, key, payload } = record;
            if (flags.json) {
              output.json('frame', {
                segment: ref.segmentId,
                offset: ref.offset,
                txid,
                type: TYPE_NAMES[type],
                keyBytes: key.length,
                payloadBytes: payload.length,
                frameBytes: ref.byteLength,
              });
            } else {
              const fields = [txid, TYPE_NAMES[type], key.length, payload.length, ref.byteLength];
              output.line(`${placeName(ref)}\t${fields.join('\t')}`);
            }
            if (output.isFull) await output.flush();
            if (--left === 0) break;
          }
        },
        { keys: false },
      );
      await output.flush();
    });
}
