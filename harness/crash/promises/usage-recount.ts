import { RecordType } from '../../../src/engine/format/format.ts';
import type { Keydir } from '../../../src/engine/keydir/keydir.ts';
import type { FileUsage } from '../../../src/engine/keydir/segment-usage.ts';
import type { OpenLog } from '../../../src/engine/log/open-log.ts';

/** What the segments of a log hold, by id, found by reading every frame of them. */
export function recountUsage(log: OpenLog, keydir: Keydir): Record<number, FileUsage> {
  const counts: Record<number, FileUsage> = {};
  for (const segmentId of idsOf(log))
    counts[segmentId] = { putBytes: 0, liveBytes: 0, deleteBytes: 0 };
  for (const { type, key, ref } of log.scans.scan(log.tail.segments)) {
    const count = counts[ref.segmentId] as FileUsage;
    if (type === RecordType.Delete) count.deleteBytes += ref.byteLength;
    if (type !== RecordType.Put) continue;
    count.putBytes += ref.byteLength;
    const live = keydir.locate(key);
    if (live?.offset === ref.offset && live.file === log.reader.files.fileOf(ref.segmentId))
      count.liveBytes += ref.byteLength;
  }
  return counts;
}

/** The same as the keydir has counted it. */
export function countedUsage(log: OpenLog, keydir: Keydir): Record<number, FileUsage> {
  const of = (segmentId: number) => ({ ...keydir.usage.of(log.reader.files.fileOf(segmentId)) });
  return Object.fromEntries(idsOf(log).map((segmentId) => [segmentId, of(segmentId)]));
}

function idsOf(log: OpenLog): number[] {
  return log.tail.segments.map(({ segmentId }) => segmentId);
}
