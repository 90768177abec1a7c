import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { segmentIds, segmentName, segmentPath } from '../format/segment-name.ts';
import { StoreError } from '../host/errors.ts';
import { closeQuietly, type FileStat, type FileSystem } from '../host/file-system.ts';
import { HeldDirectory } from '../host/held-directory.ts';
import { observed, unlessAborted } from '../host/observation.ts';
import { nowNs } from '../host/probe.ts';
import { prepareDirectory, resolveTarget } from '../host/store-directory.ts';
import { StoreFiles } from '../host/store-files.ts';
import { Turns } from '../host/turns.ts';
import {
  BACKUP_MARKER,
  BACKUP_TEMPORARY_SUFFIX,
  placeBackupMarker,
  removeBackupMarker,
} from '../lock/backup-marker.ts';
import { DurableMarkWriter, MARK_FILE, NONCE_BYTES } from '../lock/durable-mark.ts';
import type { LogPosition } from '../log/log-tail.ts';
import type { OpenLog } from '../log/open-log.ts';
import { sealContradiction } from '../seal/seal-check.ts';
import {
  parseSealName,
  readSealHeader,
  SEAL_SUFFIX,
  type Seal,
  sealPath,
} from '../seal/seal-file.ts';
import { BYTES_PER_TURN, copyFile, isCopy, linkFile, removeLinks } from './backup-files.ts';
import { checkBackupTarget, checkCourse, checkNoLaterSegment } from './backup-target.ts';

/**
 * A copy of the log up to a durable position, made while it is written. Segments before that
 * position never change in place, so they get one more name (a hard link) where the target is on
 * the same device. What a target's writer goes on in is always a copy: it must not write into the
 * source.
 */

export interface BackupReport {
  /** The backup holds every record before this position, and no other. */
  readonly end: LogPosition;
  /** Segments, by how they came to be in the target. */
  readonly linked: number;
  readonly copied: number;
  /** That an earlier backup had put there. */
  readonly reused: number;
  /** Bytes of segments. */
  readonly linkedBytes: number;
  readonly copiedBytes: number;
  readonly durationNs: number;
}

/** Merges that end while segments are being copied make them be looked at again, so many times. */
const ATTEMPTS = 10;

export interface BackupOptions {
  /**
   * Ends the backup between two slices: it rejects with the signal's reason, and leaves a target
   * that refuses to open until the backup is run again.
   */
  readonly signal?: AbortSignal;
}

export async function backup(
  source: OpenLog,
  target: string,
  signal: AbortSignal | undefined,
): Promise<BackupReport> {
  signal?.throwIfAborted();
  const startNs = nowNs();
  const run = new Backup(source, target, signal);
  const work = async () => {
    const end = await run.run();
    const { linkedBytes, copiedBytes } = run.result;
    const ways = [...run.ways.values()];
    const count = (way: string) => ways.filter((other) => other === way).length;
    const [linked, copied, reused] = [count('linked'), count('copied'), count('reused')];
    return { end, linked, copied, reused, linkedBytes, copiedBytes, durationNs: nowNs() - startNs };
  };
  const failureOf = unlessAborted(signal, 'back up', target);
  return observed(source.probe, 'backup', run.result, work, failureOf);
}

/**
 * Makes durable what was appended so far, unless the writer is poisoned, and says how far the log
 * is durable.
 */
async function syncedEnd(log: OpenLog): Promise<LogPosition> {
  if (log.poisonedBy === undefined) await log.sync();
  return log.syncs.durable;
}

/** A segment of the source, and the file that stood there when it was listed. */
interface ListedSegment {
  readonly segmentId: number;
  readonly stat: FileStat;
}

class Backup {
  readonly ways = new Map<number, 'linked' | 'copied' | 'reused'>();
  readonly result = { linkedBytes: 0, copiedBytes: 0 };
  private readonly source: OpenLog;
  private readonly fileSystem: FileSystem;
  /** Links are followed when it begins. */
  private target: string;
  private readonly turns: Turns;

  constructor(source: OpenLog, target: string, signal: AbortSignal | undefined) {
    this.source = source;
    this.fileSystem = source.files.fileSystem;
    this.target = target;
    this.turns = new Turns(BYTES_PER_TURN, () => {
      source.checkOpen();
      signal?.throwIfAborted();
    });
  }

  async run(): Promise<LogPosition> {
    const { fileSystem, source } = this;
    source.checkOpen();
    const target = resolveTarget(fileSystem, this.target);
    this.target = target;
    const end = await syncedEnd(source);
    checkBackupTarget(source, target, end);
    // What cannot be backed up is found out before an earlier backup is touched.
    this.listSource(end);
    await checkCourse(source, target, this.turns);
    prepareDirectory(fileSystem, target);
    placeBackupMarker(fileSystem, target, source.storeId);
    // As long as the marker is there the target is this one, and nobody else's.
    const marker = join(target, BACKUP_MARKER);
    const held = new HeldDirectory(fileSystem, marker, fileSystem.stat(marker));
    const release = source.guarded.holdAlso(held);
    try {
      // Another process may have begun before the marker was there.
      checkBackupTarget(source, target, end);
      return await this.copy(end);
    } finally {
      release();
    }
  }

  private async copy(from: LogPosition): Promise<LogPosition> {
    const { fileSystem, source, target } = this;
    let end = from;
    this.removeTemporaries();
    removeLinks(fileSystem, target);
    for (let attempt = 1; ; attempt++) {
      const listed = this.listSource(end);
      await this.copyLog(listed, end);
      if (listed.every((segment) => this.isUnchanged(segment))) break;
      if (attempt === ATTEMPTS) throw this.overtaken();
      // What a merge left out was overwritten after `end`: the target needs what it was overwritten
      // with.
      end = await syncedEnd(source);
    }
    checkNoLaterSegment(fileSystem, target, end);
    this.writeMark(end);
    removeBackupMarker(fileSystem, target);
    return end;
  }

  private removeTemporaries(): void {
    for (const name of this.fileSystem.list(this.target)) {
      if (name.endsWith(BACKUP_TEMPORARY_SUFFIX)) this.fileSystem.remove(join(this.target, name));
    }
  }

  /** The segments up to the one in which the backup ends. */
  private listSource(end: LogPosition): ListedSegment[] {
    const { fileSystem, source } = this;
    return source.tail.segments
      .filter(({ segmentId }) => segmentId <= end.segmentId)
      .map(({ segmentId, sizeBytes }) => {
        const stat = fileSystem.stat(segmentPath(source.files.directory, segmentId));
        const isWhole =
          segmentId === end.segmentId
            ? end.offset <= (stat?.sizeBytes ?? -1)
            : stat?.sizeBytes === sizeBytes;
        if (stat !== undefined && isWhole) return { segmentId, stat };
        throw new StoreError(
          'STORE_CORRUPT',
          `segment ${segmentId} is not as long as it was; verify the store`,
          {
            path: source.files.directory,
            segmentId,
            reason: 'segment-too-short',
          },
        );
      });
  }

  private async copyLog(listed: readonly ListedSegment[], end: LogPosition): Promise<void> {
    await this.removeBefore(listed[0]?.segmentId ?? end.segmentId);
    for (const segment of listed) {
      this.source.checkOpen();
      if (segment.segmentId === end.segmentId) {
        this.removeSeal(segment.segmentId);
        await this.placeLast(segment.segmentId, end.offset);
      } else await this.placeSegment(segment);
      await this.turns.next();
    }
  }

  /** Segments that the source no longer has, because all that was in them is gone or elsewhere. */
  private async removeBefore(lowestId: number): Promise<void> {
    const { fileSystem, target } = this;
    for (const name of fileSystem.list(target)) {
      const segmentId = segmentIds([name])[0] ?? parseSealName(name, SEAL_SUFFIX);
      if (segmentId === undefined || segmentId >= lowestId) continue;
      fileSystem.remove(join(target, name));
      // Freeing the blocks of a segment takes milliseconds.
      await this.turns.next();
    }
  }

  /**
   * A merge has taken what was here. A new file: the old one may be a link to what others still
   * need.
   */
  private placeEmpty(segmentId: number): void {
    const { fileSystem, target } = this;
    this.removeSeal(segmentId);
    const path = segmentPath(target, segmentId);
    const stat = fileSystem.stat(path);
    if (stat?.sizeBytes === 0) return;
    if (stat !== undefined) fileSystem.remove(path);
    closeQuietly(fileSystem, fileSystem.open(path, 'create'));
  }

  /**
   * The segment in which the backup ends. It has no seal that could say whether an earlier copy is
   * still right, and a store that was put back from an older copy may have come to the same place
   * by another way: every byte is compared.
   */
  private async placeLast(segmentId: number, sizeBytes: number): Promise<void> {
    const { source, target, turns } = this;
    const [from, to] = [source.files.directory, target].map((directory) =>
      segmentPath(directory, segmentId),
    );
    if (await isCopy(source.files, from as string, to as string, sizeBytes, turns))
      this.reuse(segmentId);
    else await this.copySegment(segmentId, sizeBytes);
  }

  private async placeSegment({ segmentId, stat }: ListedSegment): Promise<void> {
    const { fileSystem, source, target } = this;
    const seal = readSealHeader(fileSystem, source.files.directory, segmentId);
    // A merge has left nothing of what was here. Where it was its output that is empty, the seal
    // says so, and the next segment's asks for it.
    if (stat.sizeBytes === 0 && seal?.byteLength !== 0) {
      this.placeEmpty(segmentId);
      return;
    }
    if (await this.hasSegment(segmentId, stat, seal)) {
      this.reuse(segmentId);
    } else {
      // Not beside a segment that it does not belong to, not even for a moment.
      this.removeSeal(segmentId);
      if (
        linkFile(
          this.fileSystem,
          segmentPath(source.files.directory, segmentId),
          segmentPath(target, segmentId),
        )
      ) {
        this.ways.set(segmentId, 'linked');
        this.result.linkedBytes += stat.sizeBytes;
      } else await this.copySegment(segmentId, stat.sizeBytes, seal);
    }
    await this.placeSeal(segmentId, stat.sizeBytes, seal);
  }

  /** It may be this backup that put it there, before a merge made it look again. */
  private reuse(segmentId: number): void {
    if (!this.ways.has(segmentId)) this.ways.set(segmentId, 'reused');
  }

  /** Did an earlier backup put this very segment there? */
  private async hasSegment(
    segmentId: number,
    stat: FileStat,
    seal: Seal | undefined,
  ): Promise<boolean> {
    const { fileSystem, target } = this;
    const there = fileSystem.stat(segmentPath(target, segmentId));
    if (there?.kind !== 'file' || there.sizeBytes !== stat.sizeBytes) return false;
    if (there.inode === stat.inode && there.device === stat.device) return true;
    const sealThere = readSealHeader(fileSystem, target, segmentId);
    if (seal === undefined || sealThere === undefined || !isSameSeal(seal, sealThere)) return false;
    return !(await this.contradicts(there.sizeBytes, seal));
  }

  /**
   * The seal, if there is one and it is of what stands in the target now: a merge may be about to
   * replace either.
   */
  private async placeSeal(
    segmentId: number,
    sizeBytes: number,
    seal: Seal | undefined,
  ): Promise<void> {
    const { fileSystem, source, target } = this;
    const belongs = seal?.byteLength === sizeBytes && !(await this.contradicts(sizeBytes, seal));
    if (!belongs) {
      this.removeSeal(segmentId);
      return;
    }
    const from = sealPath(source.files.directory, segmentId);
    const to = sealPath(target, segmentId);
    const before = fileSystem.stat(from);
    const there = fileSystem.stat(to);
    const sealThere =
      there === undefined ? undefined : readSealHeader(fileSystem, target, segmentId);
    if (
      sealThere !== undefined &&
      isSameSeal(seal, sealThere) &&
      there?.sizeBytes === before?.sizeBytes
    )
      return;
    this.removeSeal(segmentId);
    if (before !== undefined && !linkFile(this.fileSystem, from, to))
      await copyFile(this.source.files, from, to, before.sizeBytes, this.turns);
  }

  private async contradicts(sizeBytes: number, seal: Seal): Promise<boolean> {
    const files = new StoreFiles(this.fileSystem, this.target);
    const fault = await sealContradiction(files, sizeBytes, seal, false, this.turns);
    return fault !== undefined;
  }

  private removeSeal(segmentId: number): void {
    const path = sealPath(this.target, segmentId);
    if (this.fileSystem.stat(path) !== undefined) this.fileSystem.remove(path);
  }

  private async copySegment(segmentId: number, sizeBytes: number, seal?: Seal): Promise<void> {
    const { source, target } = this;
    const to = segmentPath(target, segmentId);
    const digest = await copyFile(
      source.files,
      segmentPath(source.files.directory, segmentId),
      to,
      sizeBytes,
      this.turns,
    );
    this.ways.set(segmentId, 'copied');
    this.result.copiedBytes += sizeBytes;
    if (seal === undefined || seal.byteLength !== sizeBytes || seal.digest.equals(digest)) return;
    // A seal of what a merge has just put there is of other bytes: the segment will be looked at
    // again.
    if (await this.contradicts(sizeBytes, seal)) return;
    throw new StoreError(
      'STORE_CORRUPT',
      `${segmentName(segmentId)} is not what was sealed; verify the store`,
      {
        path: source.files.directory,
        segmentId,
        reason: 'contradicts-seal',
      },
    );
  }

  private isUnchanged({ segmentId, stat }: ListedSegment): boolean {
    const now = this.fileSystem.stat(segmentPath(this.source.files.directory, segmentId));
    return now !== undefined && now.inode === stat.inode && now.device === stat.device;
  }

  /**
   * A mark of its own. No `.lock` carries its nonce, so that whoever opens the backup keeps away
   * from the source's txids.
   */
  private writeMark({ segmentId, offset, nextTxid }: LogPosition): void {
    const { fileSystem, source, target } = this;
    const path = join(target, MARK_FILE);
    if (fileSystem.stat(path) !== undefined) fileSystem.remove(path);
    const nonce = randomBytes(NONCE_BYTES);
    const mark = DurableMarkWriter.open(
      fileSystem,
      target,
      undefined,
      source.storeId,
      nonce,
      source.holdings,
    );
    try {
      for (let slot = 0; slot < 2; slot++) {
        mark.write(segmentId, offset, nextTxid, true);
        mark.sync();
      }
    } finally {
      mark.close();
    }
  }

  private overtaken(): StoreError {
    const { directory } = this.source.files;
    return new StoreError(
      'SNAPSHOT_GONE',
      `segments of ${directory} were merged faster than they could be copied; run the backup again, and it goes on`,
      { path: directory },
    );
  }
}

/**
 * Do both seals speak of the same bytes at the same place? A segment of one store can have either.
 */
function isSameSeal(a: Seal, b: Seal): boolean {
  return (
    a.segmentId === b.segmentId &&
    a.firstId === b.firstId &&
    a.byteLength === b.byteLength &&
    a.hintsCrc === b.hintsCrc &&
    a.storeId.equals(b.storeId) &&
    a.digest.equals(b.digest) &&
    a.identity.equals(b.identity) &&
    a.predecessorIdentity.equals(b.predecessorIdentity)
  );
}
