import { FIRST_SEGMENT_ID } from '../format/format.ts';
import { segmentPath } from '../format/segment-name.ts';
import { isNoRoom } from '../host/errors.ts';
import { closeQuietly, type FileSystem, readFully, writeFully } from '../host/file-system.ts';
import { FILE_WORK_BYTES, type Turns } from '../host/turns.ts';
import { NO_IDENTITY, rewriteSealHeader, sealPath } from '../seal/seal-file.ts';
import type { SealSet } from '../seal/seal-set.ts';
import type { LogSegment } from '../segment/segment-list.ts';
import { quarantine } from './quarantine.ts';
import type { LogScan } from './recovery.ts';
import type { QuarantinedRange } from './recovery-report.ts';

/**
 * Makes the disk agree with what recovery kept. The order matters, because recovery may itself be
 * killed at any step: until the damaged segment is cut, the damage stays visible to the next
 * opening, which then does the same again.
 */
export async function cutDiscarded(
  fileSystem: FileSystem,
  directory: string,
  scan: LogScan,
  notes: string[],
  turns: Turns,
): Promise<QuarantinedRange[]> {
  const saved: QuarantinedRange[] = [];
  for (const range of scan.discarded)
    saved.push(await quarantine(fileSystem, directory, range, notes, turns));
  // Highest id first, the damaged segment last, each synced before the next.
  for (const { segmentId, offset } of [...scan.discarded].reverse()) {
    withSegment(fileSystem, directory, segmentId, (descriptor) => {
      fileSystem.truncate(descriptor, offset);
      fileSystem.dataSync(descriptor);
    });
  }
  // Ids stay gapless, and an id whose segment is gone is never used again.
  for (const segmentId of scan.missingIds) {
    closeQuietly(fileSystem, fileSystem.open(segmentPath(directory, segmentId), 'create'));
  }
  return saved;
}

const REWRITE_CHUNK_BYTES = 1024 * 1024;

/**
 * Writes the kept bytes that are not known to be durable once more, in place, and syncs them. After
 * a failed sync the page cache may show good bytes that the disk never got, and calls them clean;
 * only writing makes them dirty again. Returns how many bytes were rewritten.
 */
export async function rewriteFrom(
  fileSystem: FileSystem,
  directory: string,
  scan: LogScan,
  turns: Turns,
): Promise<number> {
  let rewritten = 0;
  const from = scan.durable;
  const largest = scan.segments.reduce((most, { sizeBytes }) => Math.max(most, sizeBytes), 0);
  const chunk = Buffer.allocUnsafeSlow(Math.min(REWRITE_CHUNK_BYTES, largest));
  for (const { segmentId, sizeBytes } of scan.segments) {
    if (segmentId < from.segmentId) continue;
    const descriptor = fileSystem.open(segmentPath(directory, segmentId), 'write');
    try {
      for (let at = segmentId === from.segmentId ? from.offset : 0; at < sizeBytes; ) {
        const count = readFully(
          fileSystem,
          descriptor,
          chunk,
          0,
          Math.min(chunk.length, sizeBytes - at),
          at,
        );
        if (count === 0)
          throw new Error(`segment ${segmentId} became shorter while it was repaired`);
        writeFully(fileSystem, descriptor, chunk, 0, count, at);
        at += count;
        rewritten += count;
        await turns.after(count);
      }
      // A cut that an earlier opening made, and whose sync failed, is made again.
      fileSystem.truncate(descriptor, sizeBytes);
      fileSystem.dataSync(descriptor);
    } finally {
      closeQuietly(fileSystem, descriptor);
    }
    await turns.after(FILE_WORK_BYTES);
  }
  return rewritten;
}

/**
 * Removes the empty segments in front of the first that holds bytes, one after the other: of two
 * removals that nothing orders a power cut may keep the second alone, which leaves a gap. The seals
 * that say that they should be there go first: the seal of the first one left is written again for
 * its new place, and their own are removed. Without room for that they stay where they are.
 */
export async function removeLeadingEmpty(
  fileSystem: FileSystem,
  directory: string,
  segments: readonly LogSegment[],
  seals: SealSet,
  turns: Turns,
): Promise<{ removed: number[]; seals: SealSet }> {
  const firstWithBytes = segments.findIndex(({ sizeBytes }) => sizeBytes > 0);
  const removed = segments.slice(0, Math.max(firstWithBytes, 0)).map(({ segmentId }) => segmentId);
  if (removed.length === 0) return { removed, seals };
  const stale = removed.filter((segmentId) => seals.of(segmentId) !== undefined);
  const first = seals.of(segments[firstWithBytes]?.segmentId as number);
  const moved =
    first === undefined || first.firstId === FIRST_SEGMENT_ID
      ? []
      : [{ ...first, firstId: FIRST_SEGMENT_ID, predecessorIdentity: NO_IDENTITY }];
  try {
    for (const seal of moved) await rewriteSealHeader(fileSystem, directory, seal, turns);
  } catch (error) {
    if (!isNoRoom(error)) throw error;
    return { removed: [], seals };
  }
  for (const segmentId of stale) fileSystem.remove(sealPath(directory, segmentId));
  if (stale.length > 0) fileSystem.directorySync(directory);
  for (const segmentId of removed) {
    fileSystem.remove(segmentPath(directory, segmentId));
    fileSystem.directorySync(directory);
    await turns.after(FILE_WORK_BYTES);
  }
  return { removed, seals: seals.without(stale).replacing(moved) };
}

function withSegment(
  fileSystem: FileSystem,
  directory: string,
  segmentId: number,
  use: (descriptor: number) => void,
): void {
  const descriptor = fileSystem.open(segmentPath(directory, segmentId), 'write');
  try {
    use(descriptor);
  } finally {
    closeQuietly(fileSystem, descriptor);
  }
}
