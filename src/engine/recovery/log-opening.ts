import { randomBytes } from 'node:crypto';
import { FIRST_SEGMENT_ID, HEADER_BYTES } from '../format/format.ts';
import { segmentName, segmentPath } from '../format/segment-name.ts';
import { StoreError, wrapSystemError } from '../host/errors.ts';
import { closeQuietly, type FileSystem } from '../host/file-system.ts';
import { GuardedFileSystem } from '../host/guarded-file-system.ts';
import type { PoisonLatch } from '../host/poison-latch.ts';
import { nowNs } from '../host/probe.ts';
import type { ProbeSet } from '../host/probe-set.ts';
import { prepareDirectory, syncParent } from '../host/store-directory.ts';
import { StoreFiles } from '../host/store-files.ts';
import { OPENING_SLICE_BYTES, Turns } from '../host/turns.ts';
import { refuseUnfinishedBackup } from '../lock/backup-marker.ts';
import { DurableMarkWriter, type MarkOnDisk, NONCE_BYTES, readMark } from '../lock/durable-mark.ts';
import { LogHoldings } from '../lock/log-holdings.ts';
import { leaseLost, WriterLock } from '../lock/writer-lock.ts';
import { LONGEST_SEALED_BYTES } from '../seal/seal-file.ts';
import type { SealSet } from '../seal/seal-set.ts';
import { clearUnfinishedWork } from '../seal/unfinished-work.ts';
import type { SegmentFiles } from '../segment/segment-files.ts';
import { type LogSegment, listSegments } from '../segment/segment-list.ts';
import { lockSegment, SegmentWriter } from '../segment/segment-writer.ts';
import { highestTxid } from '../segment/tail-evidence.ts';
import { readDirectory, requireAgreement } from './directory-contents.ts';
import { heldSegment } from './directory-evidence.ts';
import type { LogOptions, resolveLogOptions } from './log-options.ts';
import { type LogFindings, type LogReplay, scanLog } from './recovery.ts';
import { markNotes, type RecoveryReport, reportMark } from './recovery-report.ts';
import { cutDiscarded, removeLeadingEmpty, rewriteFrom } from './repair.ts';

/**
 * Opening for writing: lock, mark, scan, repair, new mark. Nothing is appended and nothing
 * acknowledged before the last of them is on disk.
 */

/**
 * Distance kept from every txid that may ever have been written, after an opening that was not
 * clean.
 */
export const TXID_JUMP = 2 ** 20;

const KERNEL_LOCKS_ARE_OFF =
  'kernel locks are off (the native addon or the file system has none): only the lease keeps other writers out, and a writer that is stopped for ten seconds loses it';

const NO_LEASE =
  'the disk has no room for the lease beside the kernel lock: a writer on another host, which kernel locks may not reach, is not kept out';

/** Their garbage stays, which nothing else would tell. */
export function notesOfLongSegments(segments: readonly LogSegment[]): string[] {
  return segments
    .filter(({ sizeBytes }) => sizeBytes > LONGEST_SEALED_BYTES)
    .map(
      ({ segmentId }) =>
        `${segmentName(segmentId)} is longer than 4 GiB: it is read at every opening and never merged, whatever garbage it holds; compactTo a new directory writes shorter ones`,
    );
}

/** Leaves room for as many records as anybody writes in one opening. */
const MAX_SAFE_TXID = 2 ** 53 - 2 ** 48;

export interface OpenedLog {
  /**
   * Everything in the directory goes through this from now on: it knows whether the directory is
   * still ours.
   */
  readonly fileSystem: GuardedFileSystem;
  /** Absolute, without links: what they led to when the log was opened. */
  readonly directory: string;
  readonly lock: WriterLock;
  readonly mark: DurableMarkWriter;
  /** What the mark says of the sealed segments. */
  readonly holdings: LogHoldings;
  /** Sealed segments that a merge has written and that have lost their seals. */
  readonly merged: ReadonlyMap<number, Buffer>;
  readonly storeId: Buffer;
  /** Ascending; the last is the active one. */
  readonly segments: readonly LogSegment[];
  readonly active: SegmentWriter;
  /** The valid ones. */
  readonly seals: SealSet;
  readonly nextTxid: number;
  readonly report: RecoveryReport;
}

/** The keydir, as an opening fills it with the records of the log. */
export interface ReplayTarget {
  readonly files: SegmentFiles;
  /** The store's id, before the first record. */
  identify(storeId: Buffer): void;
  /** Takes what is found in so many bytes of log. */
  replay(logBytes: number): LogReplay;
  readonly size: number;
  readonly sizeBytes: number;
  readonly liveBytes: number;
}

export interface OpeningOptions {
  readonly fileSystem: FileSystem;
  /** Absolute. */
  readonly directory: string;
  readonly latch: PoisonLatch;
  readonly resolved: ReturnType<typeof resolveLogOptions>;
  readonly probe: ProbeSet | undefined;
  /** The number of this opening, for the probe. */
  readonly operation: number;
  readonly target: ReplayTarget | undefined;
  readonly onOpenProgress: LogOptions['onOpenProgress'];
  readonly onLeaseLost: (error: Error, fatal: boolean) => void;
}

export async function openForWriting(options: OpeningOptions): Promise<OpenedLog> {
  const { fileSystem, latch } = options;
  prepareDirectory(fileSystem, options.directory);
  const directory = resolveLinks(fileSystem, options.directory);
  refuseUnfinishedBackup(fileSystem, directory);
  const nonce = randomBytes(NONCE_BYTES);
  let previous: MarkOnDisk | undefined;
  let damagedSlots = 0;
  const lock = await WriterLock.acquire({
    fileSystem,
    directory,
    nonce,
    readMarkNonce: () => {
      ({ newest: previous, damagedSlots } = readMark(fileSystem, directory));
      return previous?.mark.sessionNonce;
    },
    onLeaseLost: options.onLeaseLost,
  });
  try {
    refuseSegmentOfAnother(fileSystem, directory);
    const guarded = new GuardedFileSystem(fileSystem, lock.held, {
      beforeWrite: lock.kernelLock
        ? undefined
        : () => {
            if (!lock.stillHeld())
              throw latch.close('WRITE_FAILED', 'keeping the writer lock', leaseLost());
          },
      onMoved: (objection) => latch.closeWith(objection),
    });
    const own = { ...options, fileSystem: guarded, directory };
    return await openLocked(own, lock, nonce, previous, damagedSlots);
  } catch (error) {
    await lock.release();
    throw wrapSystemError(error, 'open the log', directory);
  }
}

function resolveLinks(fileSystem: FileSystem, directory: string): string {
  try {
    return fileSystem.realPath(directory);
  } catch (error) {
    throw wrapSystemError(error, 'open the log', directory);
  }
}

/** See `lockSegment`. Before anything is repaired: a writer may be at work behind our backs. */
function refuseSegmentOfAnother(fileSystem: FileSystem, directory: string): void {
  const last = listSegments(fileSystem, directory).at(-1);
  if (last === undefined) return;
  const path = segmentPath(directory, last.segmentId);
  const descriptor = fileSystem.open(path, 'write');
  try {
    lockSegment(fileSystem, directory, path, descriptor);
  } finally {
    closeQuietly(fileSystem, descriptor);
  }
}

async function openLocked(
  options: OpeningOptions & Pick<OpenedLog, 'fileSystem'>,
  lock: WriterLock,
  nonce: Buffer,
  previous: MarkOnDisk | undefined,
  damagedSlots: number,
): Promise<OpenedLog> {
  const { fileSystem, directory, probe, operation, resolved, target } = options;
  const startNs = nowNs();
  const durableMark = reportMark(previous?.mark, lock.witnessed);
  const turns = new Turns(OPENING_SLICE_BYTES);
  const files = new StoreFiles(fileSystem, directory);
  const contents = await readDirectory(files, turns, {
    newest: previous,
    damagedSlots,
    witnessed: lock.witnessed,
  });
  const { seals, unfinished } = contents;
  const notes = [...markNotes(damagedSlots, durableMark), ...contents.notes];
  if (!lock.kernelLock) notes.push(KERNEL_LOCKS_ARE_OFF);
  if (lock.hasNoRoomForLease) notes.push(NO_LEASE);
  notes.push(...notesOfLongSegments(contents.listed));
  const storeId = previous?.mark.storeId ?? seals.storeId ?? randomBytes(NONCE_BYTES);
  const merged = await requireAgreement(contents, turns);
  target?.identify(storeId);
  const scan = await scanLog({
    files,
    segments: contents.segments,
    mark: previous?.mark,
    seals,
    full: resolved.open === 'full',
    witnessed: lock.witnessed,
    mode: resolved.recovery,
    acceptAmbiguousTail: resolved.acceptAmbiguousTail,
    probe,
    operation,
    target,
    turns,
    onProgress: options.onOpenProgress,
  });
  const created = scan.segments.length === 0;
  if (created && contents.strangers.includes(FIRST_SEGMENT_ID))
    throw new StoreError(
      'IO_FAILED',
      `a log cannot begin in ${directory}: ${contents.notes.join('; ')}`,
      { path: directory, segmentId: FIRST_SEGMENT_ID },
    );
  const clean = created || isClean(scan, previous, lock.witnessed);
  const discardedTxid = await highestDiscardedTxid(files, scan, turns);
  notes.push(...(await clearUnfinishedWork(files, unfinished, turns)));
  const discarded = await cutDiscarded(files, scan, notes, turns);
  const bytesRewritten = clean ? 0 : await rewriteFrom(files, scan, turns);
  const segments = created ? [createFirstSegment(files)] : withMissing(scan);

  const highestTxid = Math.max(scan.lastTxid, discardedTxid, (previous?.mark.nextTxid ?? 1) - 1);
  const nextTxid = highestTxid + (clean ? 1 : TXID_JUMP);
  if (nextTxid > MAX_SAFE_TXID) {
    throw new StoreError(
      'LOG_FULL',
      `the txids of ${directory} are used up: the next would be ${nextTxid}`,
      {
        path: directory,
      },
    );
  }
  const holdings = new LogHoldings(
    segments.slice(0, -1).map((segment) => heldSegment(segment, seals, merged)),
  );
  const mark = DurableMarkWriter.open(fileSystem, directory, previous, storeId, nonce, holdings);
  try {
    // Every name in the directory, the mark's own included, before the first mark that relies on
    // them.
    fileSystem.directorySync(directory);
    if (previous === undefined) syncParent(fileSystem, directory);
    const active = segments.at(-1) as LogSegment;
    mark.writeBoth(active.segmentId, active.sizeBytes, nextTxid);
    lock.marked();
    const { removed, seals: sealsLeft } = await removeLeadingEmpty(files, segments, seals, turns);
    if (removed.length > 0) {
      notes.push(
        `removed ${removed.length} empty segments in front of ${segments[removed.length]?.segmentId}`,
      );
    }
    const durationNs = nowNs() - startNs;
    const outcome = created ? 'created' : clean ? 'clean' : 'recovered';
    return {
      fileSystem,
      directory,
      lock,
      mark,
      holdings,
      merged,
      storeId,
      segments: segments.slice(removed.length),
      active: SegmentWriter.open(fileSystem, directory, active.segmentId, active.sizeBytes),
      seals: sealsLeft,
      nextTxid,
      report: {
        outcome,
        durableMark,
        segmentsScanned: scan.segments.length - scan.segmentsFromSeals,
        segmentsFromSeals: scan.segmentsFromSeals,
        recordsKept: scan.recordCount,
        bytesKept: segments.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
        discarded,
        bytesRewritten,
        nextTxid,
        notes,
        durationNs,
      },
    };
  } catch (error) {
    mark.close();
    throw error;
  }
}

/** Closed in order by us, and exactly as it was then. */
function isClean(scan: LogFindings, previous: MarkOnDisk | undefined, witnessed: boolean): boolean {
  const mark = previous?.mark;
  const last = scan.segments.at(-1);
  return (
    mark?.clean === true &&
    witnessed &&
    scan.discarded.length === 0 &&
    scan.missingIds.length === 0 &&
    last?.segmentId === mark.segmentId &&
    last.sizeBytes === mark.offset
  );
}

/** What is cut off may hold records with txids that were given away. */
async function highestDiscardedTxid(
  files: StoreFiles,
  scan: LogFindings,
  turns: Turns,
): Promise<number> {
  let highest = 0;
  for (const [index, { segmentId, offset, byteLength, damage }] of scan.discarded.entries()) {
    const sizeBytes = offset + byteLength;
    // The others lie behind the damage that is told of all of them.
    const isZeros = index === 0 && damage === 'unfinished-start';
    const end = isZeros ? Math.min(offset + HEADER_BYTES, sizeBytes) : sizeBytes;
    const found = await files.use(segmentPath(files.directory, segmentId), 'read', (file) =>
      highestTxid({ file, sizeBytes }, offset, end, turns),
    );
    highest = Math.max(highest, found);
  }
  return highest;
}

function createFirstSegment(files: StoreFiles): LogSegment {
  const path = segmentPath(files.directory, FIRST_SEGMENT_ID);
  files.useNow(path, 'create', (file) => file.sync());
  return { segmentId: FIRST_SEGMENT_ID, sizeBytes: 0 };
}

function withMissing(scan: LogFindings): LogSegment[] {
  const missing = scan.missingIds.map((segmentId) => ({ segmentId, sizeBytes: 0 }));
  return [...scan.segments, ...missing].sort((a, b) => a.segmentId - b.segmentId);
}
