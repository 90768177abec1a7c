import { createHash, randomBytes } from 'node:crypto';
import { join, resolve } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  BACKUP_MARKER,
  BACKUP_TEMPORARY_SUFFIX,
  hasBackupMarker,
  placeBackupMarker,
  removeBackupMarker,
} from './backup-marker.ts';
import { DurableMarkWriter, MARK_FILE, NONCE_BYTES, readMark } from './durable-mark.ts';
import { errnoOf, StoreError, wrapSystemError } from './errors.ts';
import { closeQuietly, type FileStat, type FileSystem, readFully, writeFully } from './file-system.ts';
import { prepareDirectory } from './log-opening.ts';
import type { LogPosition } from './log-sync.ts';
import { nowNs } from './probe.ts';
import type { BackupSource } from './record-log.ts';
import { sealContradiction } from './seal-check.ts';
import {
  endsDigestOf,
  isMerged,
  parseSealName,
  readSealHeader,
  SEAL_SUFFIX,
  type Seal,
  sealPath,
} from './seal-file.ts';
import { segmentIds, segmentName, segmentPath } from './segment-name.ts';
import { LOCK_FILE } from './writer-lock.ts';

/**
 * A copy of the log up to a durable position, made while it is written. Segments before that position never change in
 * place, so they get one more name (a hard link) where the target is on the same device. What a target's writer goes on
 * in is always a copy: it must not write into the source.
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

/** Copied between two turns of the event loop. */
const BYTES_A_TURN = 1024 * 1024;

/** Merges that end while segments are being copied make them be looked at again, so many times. */
const ATTEMPTS = 10;

/** Where a file cannot have one more name. */
const CANNOT_LINK: ReadonlySet<string> = new Set([
  'EXDEV',
  'EPERM',
  'EMLINK',
  'ENOTSUP',
  'EOPNOTSUPP',
  'ENOSYS',
]);

export async function backup(source: BackupSource, targetDirectory: string): Promise<BackupReport> {
  const { probe } = source;
  const target = resolve(targetDirectory);
  const operation = probe?.begin('backup') ?? 0;
  const startNs = nowNs();
  const run = new Backup(source, target);
  let failure: StoreError | undefined;
  try {
    const end = await run.run();
    const { linkedBytes, copiedBytes } = run;
    const ways = [...run.ways.values()];
    const count = (way: string) => ways.filter((other) => other === way).length;
    const [linked, copied, reused] = [count('linked'), count('copied'), count('reused')];
    return { end, linked, copied, reused, linkedBytes, copiedBytes, durationNs: nowNs() - startNs };
  } catch (error) {
    failure = wrapSystemError(error, 'back up', target);
    throw failure;
  } finally {
    const durationNs = nowNs() - startNs;
    probe?.backedUp?.(operation, run.linkedBytes, run.copiedBytes, startNs, durationNs, failure);
  }
}

/** A segment of the source, and the file that stood there when it was listed. */
interface ListedSegment {
  readonly segmentId: number;
  readonly stat: FileStat;
}

class Backup {
  readonly ways = new Map<number, 'linked' | 'copied' | 'reused'>();
  linkedBytes = 0;
  copiedBytes = 0;
  private readonly source: BackupSource;
  private readonly fileSystem: FileSystem;
  private readonly target: string;

  constructor(source: BackupSource, target: string) {
    this.source = source;
    this.fileSystem = source.fileSystem;
    this.target = target;
  }

  async run(): Promise<LogPosition> {
    const { fileSystem, source, target } = this;
    source.checkOpen();
    let end = await source.sync();
    this.checkTarget(end);
    prepareDirectory(fileSystem, target);
    placeBackupMarker(fileSystem, target, source.storeId);
    this.removeTemporaries();
    for (let attempt = 1; ; attempt++) {
      const listed = this.listSource(end);
      await this.copyLog(listed, end);
      if (listed.every((segment) => this.isUnchanged(segment))) break;
      if (attempt === ATTEMPTS) throw this.overtaken();
      // What a merge left out was overwritten after `end`: the target needs what it was overwritten with.
      end = await source.sync();
    }
    this.writeMark(end);
    removeBackupMarker(fileSystem, target);
    return end;
  }

  /** Is there nothing, or a backup of this store? Throws `TARGET_NOT_EMPTY`, and changes nothing. */
  private checkTarget(end: LogPosition): void {
    const { fileSystem, source, target } = this;
    const stat = fileSystem.stat(target);
    if (stat === undefined) return;
    if (stat.kind !== 'directory')
      throw new StoreError('NOT_A_DIRECTORY', `a backup is a directory, and ${target} is not one`, {
        path: target,
      });
    const refuse = (why: string) =>
      new StoreError('TARGET_NOT_EMPTY', `${target} ${why}; name a new directory`, { path: target });
    const names = fileSystem.list(target);
    if (names.includes(LOCK_FILE))
      throw refuse('is a store, or a backup that was opened as one and may have changed since');
    const { newest } = readMark(fileSystem, target);
    const isMarked = hasBackupMarker(fileSystem, target, source.storeId);
    if (isMarked === false) throw refuse('is an unfinished backup of another store');
    if (newest === undefined && isMarked === undefined) {
      if (names.every((name) => name === BACKUP_MARKER + BACKUP_TEMPORARY_SUFFIX)) return;
      throw refuse('is not empty, and not a backup');
    }
    if (newest !== undefined && !newest.mark.storeId.equals(source.storeId))
      throw refuse('is a backup of another store');
    const isLater = newest !== undefined && newest.mark.nextTxid > end.nextTxid;
    if (newest !== undefined && this.isForked(newest.mark))
      throw refuse('is a backup of another course of this store');
    if (isLater || segmentIds(names).some((segmentId) => segmentId > end.segmentId))
      throw refuse('is a backup of a later time');
  }

  /** Did this store, an earlier backup restored perhaps, go another way after that position? A merge hides the answer. */
  private isForked({ segmentId, offset }: LogPosition): boolean {
    const { fileSystem, source, target } = this;
    const there = fileSystem.stat(segmentPath(target, segmentId));
    const here = source.segments().find((segment) => segment.segmentId === segmentId);
    if (there === undefined || there.sizeBytes < offset || offset === 0 || here === undefined) return false;
    const seal = readSealHeader(fileSystem, source.directory, segmentId);
    if (here.sizeBytes === 0 || (seal !== undefined && isMerged(seal))) return false;
    if (here.sizeBytes < offset) return true;
    const [mine, theirs] = [source.directory, target].map((directory) => {
      const descriptor = fileSystem.open(segmentPath(directory, segmentId), 'read');
      try {
        return endsDigestOf(fileSystem, descriptor, offset);
      } finally {
        closeQuietly(fileSystem, descriptor);
      }
    });
    return mine !== theirs;
  }

  private removeTemporaries(): void {
    for (const name of this.fileSystem.list(this.target)) {
      if (name.endsWith(BACKUP_TEMPORARY_SUFFIX)) this.fileSystem.remove(join(this.target, name));
    }
  }

  /** The segments up to the one in which the backup ends. */
  private listSource(end: LogPosition): ListedSegment[] {
    const { fileSystem, source } = this;
    return source
      .segments()
      .filter(({ segmentId }) => segmentId <= end.segmentId)
      .map(({ segmentId, sizeBytes }) => {
        const stat = fileSystem.stat(segmentPath(source.directory, segmentId));
        const isWhole =
          segmentId === end.segmentId ? end.offset <= (stat?.sizeBytes ?? -1) : stat?.sizeBytes === sizeBytes;
        if (stat !== undefined && isWhole) return { segmentId, stat };
        throw new StoreError(
          'STORE_CORRUPT',
          `segment ${segmentId} is not as long as it was; verify the store`,
          {
            path: source.directory,
            segmentId,
            reason: 'segment-too-short',
          },
        );
      });
  }

  private async copyLog(listed: readonly ListedSegment[], end: LogPosition): Promise<void> {
    this.removeBefore(listed[0]?.segmentId ?? end.segmentId);
    for (const segment of listed) {
      this.source.checkOpen();
      if (segment.segmentId === end.segmentId) {
        this.removeSeal(segment.segmentId);
        await this.copySegment(segment.segmentId, end.offset);
      } else if (segment.stat.sizeBytes === 0) this.placeEmpty(segment.segmentId);
      else await this.placeSegment(segment);
      await nextTurn();
    }
  }

  /** Segments that the source no longer has, because all that was in them is gone or elsewhere. */
  private removeBefore(lowestId: number): void {
    const { fileSystem, target } = this;
    for (const name of fileSystem.list(target)) {
      const segmentId = segmentIds([name])[0] ?? parseSealName(name, SEAL_SUFFIX);
      if (segmentId !== undefined && segmentId < lowestId) fileSystem.remove(join(target, name));
    }
  }

  /** A merge has taken what was here. A new file: the old one may be a link to what others still need. */
  private placeEmpty(segmentId: number): void {
    const { fileSystem, target } = this;
    this.removeSeal(segmentId);
    const path = segmentPath(target, segmentId);
    const stat = fileSystem.stat(path);
    if (stat?.sizeBytes === 0) return;
    if (stat !== undefined) fileSystem.remove(path);
    closeQuietly(fileSystem, fileSystem.open(path, 'create'));
  }

  private async placeSegment({ segmentId, stat }: ListedSegment): Promise<void> {
    const { fileSystem, source, target } = this;
    const seal = readSealHeader(fileSystem, source.directory, segmentId);
    if (this.hasSegment(segmentId, stat, seal)) {
      if (!this.ways.has(segmentId)) this.ways.set(segmentId, 'reused');
    } else {
      // Not beside a segment that it does not belong to, not even for a moment.
      this.removeSeal(segmentId);
      if (this.link(segmentPath(source.directory, segmentId), segmentPath(target, segmentId))) {
        this.ways.set(segmentId, 'linked');
        this.linkedBytes += stat.sizeBytes;
      } else await this.copySegment(segmentId, stat.sizeBytes, seal);
    }
    await this.placeSeal(segmentId, stat.sizeBytes, seal);
  }

  /** Did an earlier backup put this very segment there? */
  private hasSegment(segmentId: number, stat: FileStat, seal: Seal | undefined): boolean {
    const { fileSystem, target } = this;
    const there = fileSystem.stat(segmentPath(target, segmentId));
    if (there?.kind !== 'file' || there.sizeBytes !== stat.sizeBytes) return false;
    if (there.inode === stat.inode && there.device === stat.device) return true;
    const sealThere = readSealHeader(fileSystem, target, segmentId);
    if (seal === undefined || sealThere === undefined || !isSameSeal(seal, sealThere)) return false;
    return sealContradiction(fileSystem, target, there.sizeBytes, seal, false) === undefined;
  }

  /** The seal, if there is one and it is of what stands in the target now: a merge may be about to replace either. */
  private async placeSeal(segmentId: number, sizeBytes: number, seal: Seal | undefined): Promise<void> {
    const { fileSystem, source, target } = this;
    const belongs =
      seal?.byteLength === sizeBytes &&
      sealContradiction(fileSystem, target, sizeBytes, seal, false) === undefined;
    if (!belongs) {
      this.removeSeal(segmentId);
      return;
    }
    const from = sealPath(source.directory, segmentId);
    const to = sealPath(target, segmentId);
    const before = fileSystem.stat(from);
    const there = fileSystem.stat(to);
    const sealThere = there === undefined ? undefined : readSealHeader(fileSystem, target, segmentId);
    if (sealThere !== undefined && isSameSeal(seal, sealThere) && there?.sizeBytes === before?.sizeBytes)
      return;
    this.removeSeal(segmentId);
    if (before !== undefined && !this.link(from, to)) await this.copyFile(from, to, before.sizeBytes);
  }

  private removeSeal(segmentId: number): void {
    const path = sealPath(this.target, segmentId);
    if (this.fileSystem.stat(path) !== undefined) this.fileSystem.remove(path);
  }

  /** False where only a copy will do. */
  private link(from: string, to: string): boolean {
    const { fileSystem } = this;
    try {
      if (fileSystem.stat(to) !== undefined) fileSystem.remove(to);
      fileSystem.link(from, to);
      return true;
    } catch (error) {
      if (CANNOT_LINK.has(errnoOf(error) ?? '')) return false;
      throw error;
    }
  }

  private async copySegment(segmentId: number, sizeBytes: number, seal?: Seal): Promise<void> {
    const { source, target } = this;
    const to = segmentPath(target, segmentId);
    const digest = await this.copyFile(segmentPath(source.directory, segmentId), to, sizeBytes);
    this.ways.set(segmentId, 'copied');
    this.copiedBytes += sizeBytes;
    if (seal === undefined || seal.byteLength !== sizeBytes || seal.digest.equals(digest)) return;
    // A seal of what a merge has just put there is of other bytes: the segment will be looked at again.
    if (sealContradiction(this.fileSystem, target, sizeBytes, seal, false) !== undefined) return;
    throw new StoreError(
      'STORE_CORRUPT',
      `${segmentName(segmentId)} is not what was sealed; verify the store`,
      {
        path: source.directory,
        segmentId,
        reason: 'contradicts-seal',
      },
    );
  }

  /** Whole and durable under its name, or not there under it. Returns the digest of the bytes. */
  private async copyFile(from: string, to: string, sizeBytes: number): Promise<Buffer> {
    const { fileSystem, source } = this;
    const temporary = to + BACKUP_TEMPORARY_SUFFIX;
    if (fileSystem.stat(temporary) !== undefined) fileSystem.remove(temporary);
    const hash = createHash('sha256');
    const input = fileSystem.open(from, 'read');
    source.onDescriptors(1);
    try {
      const output = fileSystem.open(temporary, 'create');
      source.onDescriptors(1);
      try {
        const chunk = Buffer.allocUnsafeSlow(Math.min(BYTES_A_TURN, sizeBytes));
        for (let at = 0; at < sizeBytes; ) {
          source.checkOpen();
          const count = readFully(fileSystem, input, chunk, 0, Math.min(chunk.length, sizeBytes - at), at);
          if (count === 0)
            throw new StoreError('SNAPSHOT_GONE', `${from} became shorter while it was copied`, {
              path: from,
            });
          hash.update(chunk.subarray(0, count));
          writeFully(fileSystem, output, chunk, 0, count, at);
          at += count;
          await nextTurn();
        }
        await fileSystem.dataSyncAsync(output);
      } finally {
        closeQuietly(fileSystem, output);
        source.onDescriptors(-1);
      }
    } finally {
      closeQuietly(fileSystem, input);
      source.onDescriptors(-1);
    }
    fileSystem.rename(temporary, to);
    return hash.digest();
  }

  private isUnchanged({ segmentId, stat }: ListedSegment): boolean {
    const now = this.fileSystem.stat(segmentPath(this.source.directory, segmentId));
    return now !== undefined && now.inode === stat.inode && now.device === stat.device;
  }

  /** A mark of its own. No `.lock` carries its nonce, so that whoever opens the backup keeps away from the source's txids. */
  private writeMark({ segmentId, offset, nextTxid }: LogPosition): void {
    const { fileSystem, source, target } = this;
    const path = join(target, MARK_FILE);
    if (fileSystem.stat(path) !== undefined) fileSystem.remove(path);
    const nonce = randomBytes(NONCE_BYTES);
    const mark = DurableMarkWriter.open(fileSystem, target, undefined, source.storeId, nonce);
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
    const { directory } = this.source;
    return new StoreError(
      'SNAPSHOT_GONE',
      `segments of ${directory} were merged faster than they could be copied; run the backup again, and it goes on`,
      { path: directory },
    );
  }
}

/** Of the same bytes at the same place: the seals of one store that a segment can have. */
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
