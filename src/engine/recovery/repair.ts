import { FIRST_SEGMENT_ID } from '../format/format.ts';
import { segmentPath } from '../format/segment-name.ts';
import { isNoRoom } from '../host/errors.ts';
import type { StoreFiles } from '../host/store-files.ts';
import { FILE_WORK_BYTES, type Turns } from '../host/turns.ts';
import { NO_IDENTITY, rewriteSealHeader, sealPath } from '../seal/seal-file.ts';
import type { SealSet } from '../seal/seal-set.ts';
import type { LogSegment } from '../segment/segment-list.ts';
import { quarantine } from './quarantine.ts';
import type { LogFindings } from './recovery.ts';
import type { QuarantinedRange } from './recovery-report.ts';

/**
 * Makes the disk agree with what recovery kept. The order matters, because recovery may itself be
 * killed at any step: until the damaged segment is cut, the damage stays visible to the next
 * opening, which then does the same again.
 */
export async function cutDiscarded(
  files: StoreFiles,
  scan: LogFindings,
  notes: string[],
  turns: Turns,
): Promise<QuarantinedRange[]> {
  const { fileSystem, directory } = files;
  const saved: QuarantinedRange[] = [];
  for (const range of scan.discarded) saved.push(await quarantine(files, range, notes, turns));
  // Highest id first, the damaged segment last, each synced before the next.
  for (const { segmentId, offset } of [...scan.discarded].reverse()) {
    files.useNow(segmentPath(directory, segmentId), 'write', (file) => {
      fileSystem.truncate(file.descriptor, offset);
      file.sync();
    });
  }
  // Ids stay gapless, and an id whose segment is gone is never used again.
  for (const segmentId of scan.missingIds) {
    files.useNow(segmentPath(directory, segmentId), 'create', () => {});
  }
  return saved;
}

/**
 * Writes the kept bytes that are not known to be durable once more, in place, and syncs them. After
 * a failed sync the page cache may show good bytes that the disk never got, and calls them clean;
 * only writing makes them dirty again. Returns how many bytes were rewritten.
 */
export async function rewriteFrom(
  files: StoreFiles,
  scan: LogFindings,
  turns: Turns,
): Promise<number> {
  let rewritten = 0;
  const from = scan.durable;
  for (const { segmentId, sizeBytes } of scan.segments) {
    if (segmentId < from.segmentId) continue;
    await files.use(segmentPath(files.directory, segmentId), 'write', async (file) => {
      const start = segmentId === from.segmentId ? from.offset : 0;
      const whole = await file.eachChunk(start, sizeBytes, turns, (chunk, at) => {
        file.write(chunk, at);
        rewritten += chunk.length;
      });
      if (!whole) throw new Error(`segment ${segmentId} became shorter while it was repaired`);
      // A cut that an earlier opening made, and whose sync failed, is made again.
      files.fileSystem.truncate(file.descriptor, sizeBytes);
      file.sync();
    });
    await turns.after(FILE_WORK_BYTES);
  }
  return rewritten;
}

/**
 * Removes the empty segments in front of the first that holds bytes, one after the other: of two
 * removals that nothing orders a power cut may keep the second alone, which leaves a gap. The seals
 * that say that they should be there go first: the seal of the first one left is written again for
 * its new place, and their own are removed, the last one first. A seal names the identity of the
 * segment before it, which an empty file without a seal cannot show. Without room for the seal that
 * is written they stay where they are.
 */
export async function removeLeadingEmpty(
  files: StoreFiles,
  segments: readonly LogSegment[],
  seals: SealSet,
  turns: Turns,
): Promise<{ removed: number[]; seals: SealSet }> {
  const { fileSystem, directory } = files;
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
    for (const seal of moved) await rewriteSealHeader(files, seal, turns);
  } catch (error) {
    if (!isNoRoom(error)) throw error;
    return { removed: [], seals };
  }
  for (const segmentId of stale.toReversed()) {
    fileSystem.remove(sealPath(directory, segmentId));
    fileSystem.directorySync(directory);
    await turns.after(FILE_WORK_BYTES);
  }
  for (const segmentId of removed) {
    fileSystem.remove(segmentPath(directory, segmentId));
    fileSystem.directorySync(directory);
    await turns.after(FILE_WORK_BYTES);
  }
  return { removed, seals: seals.without(stale).replacing(moved) };
}
