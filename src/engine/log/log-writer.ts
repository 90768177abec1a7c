import { MAX_SEGMENT_ID, RecordType } from '../format/format.ts';
import { frameBytes, type RecordRef } from '../format/frame.ts';
import { segmentPath } from '../format/segment-name.ts';
import { errnoOf, StoreError, wrapSystemError } from '../host/errors.ts';
import { Observation } from '../host/observation.ts';
import type { PoisonLatch } from '../host/poison-latch.ts';
import { nowNs } from '../host/probe.ts';
import type { ProbeSet } from '../host/probe-set.ts';
import { MAX_UNSYNCED_RECORDS } from '../recovery/recovery.ts';
import type { SegmentWriter } from '../segment/segment-writer.ts';
import type { LogSync } from './log-sync.ts';
import type { LogTail } from './log-tail.ts';

/** One record to append. */
export interface Append {
  readonly type: RecordType;
  readonly key: Uint8Array;
  readonly payload: Uint8Array;
  /** The length of its frame, when the arguments were checked. */
  readonly byteLength: number;
}

export interface LogWriterOptions {
  readonly directory: string;
  readonly segmentBytes: number;
  readonly latch: PoisonLatch;
  readonly probe: ProbeSet | undefined;
  readonly tail: LogTail;
  readonly syncs: LogSync;
}

const PASSING: ReadonlySet<string> = new Set(['EMFILE', 'ENFILE', 'ENOMEM', 'ENOSPC', 'EDQUOT']);

function isOfNoEffect(previous: SegmentWriter, error: unknown): boolean {
  try {
    return PASSING.has(errnoOf(error) ?? '') && previous.isLast();
  } catch {
    return false;
  }
}

/** What a probe calls the append of one record, by its type. */
export const APPEND_KINDS = ['append', 'put', 'delete'] as const;

/**
 * The end of the log: gives each record its txid and its place in the active segment, and goes on
 * in a new segment when that one is full. When an append returns, the kernel has the bytes. The
 * callers have checked that the log is open and not poisoned; a write that fails closes the latch.
 */
export class LogWriter {
  private readonly directory: string;
  private readonly segmentBytes: number;
  private readonly latch: PoisonLatch;
  private readonly probe: ProbeSet | undefined;
  private readonly tail: LogTail;
  private readonly syncs: LogSync;

  constructor({ directory, segmentBytes, latch, probe, tail, syncs }: LogWriterOptions) {
    this.directory = directory;
    this.segmentBytes = segmentBytes;
    this.latch = latch;
    this.probe = probe;
    this.tail = tail;
    this.syncs = syncs;
  }

  /** Appends one record with one write call. */
  append(type: RecordType, key: Uint8Array, payload: Uint8Array): RecordRef {
    const { probe } = this;
    const byteLength = frameBytes(key.length, payload.length);
    if (probe === undefined) return this.appendOne(type, key, payload, byteLength, 0);
    const kind = APPEND_KINDS[type];
    const userBytes = key.length + payload.length;
    const operation = probe.begin(kind);
    const startNs = nowNs();
    let failure: StoreError | undefined;
    try {
      return this.appendOne(type, key, payload, byteLength, operation);
    } catch (error) {
      failure = error as StoreError;
      throw error;
    } finally {
      probe.appended(operation, kind, byteLength, userBytes, startNs, nowNs() - startNs, failure);
    }
  }

  /**
   * Appends many records with few write calls. `written` is told of each record once the kernel has
   * it, in order: when a write fails in the middle, of those before it only.
   */
  appendAll(appends: readonly Append[], written: (append: Append, ref: RecordRef) => void): void {
    const { probe } = this;
    if (probe === undefined) {
      this.appendStaged(appends, written, 0);
      return;
    }
    const batch = new Observation(probe, 'batch', {
      puts: 0,
      deletes: 0,
      frameBytes: 0,
      userBytes: 0,
    });
    const { operation, result } = batch;
    const counted = (append: Append, ref: RecordRef) => {
      if (append.type === RecordType.Delete) result.deletes++;
      else result.puts++;
      result.frameBytes += ref.byteLength;
      result.userBytes += append.key.length + append.payload.length;
      written(append, ref);
    };
    try {
      this.appendStaged(appends, counted, operation);
    } catch (error) {
      throw batch.failed(error);
    } finally {
      batch.end();
    }
  }

  /**
   * Goes on in a new segment. The sync of the one before runs in the background; this waits for
   * that of the one before it.
   */
  rotate(): void {
    const { tail, directory } = this;
    const previous = tail.active;
    if (previous.segmentId === MAX_SEGMENT_ID) {
      throw new StoreError(
        'LOG_FULL',
        `segment ids end at ${MAX_SEGMENT_ID}; compactTo a new directory`,
        {
          path: directory,
        },
      );
    }
    this.syncs.waitForRotated();
    const objection = previous.objection();
    if (objection !== undefined) throw this.latch.closeWith(objection);
    try {
      tail.active = previous.createNext();
    } catch (error) {
      throw this.notRotated(previous, error);
    }
    const { segmentId, sizeBytes } = previous;
    tail.sealed = [...tail.sealed, { segmentId, sizeBytes }];
    this.syncs.takeOver(previous, tail.end);
    this.probe?.event?.({
      kind: 'rotated',
      sealedSegmentId: segmentId,
      newSegmentId: tail.active.segmentId,
    });
  }

  /**
   * The error of a rotation that made no file, for want of a descriptor, an inode or a block, or
   * whose file is gone again. Nothing was written, and the next append tries it anew.
   */
  private notRotated(previous: SegmentWriter, error: unknown): StoreError {
    if (!isOfNoEffect(previous, error))
      return this.latch.close('WRITE_FAILED', 'the rotation', error);
    const next = segmentPath(this.directory, previous.segmentId + 1);
    const failure = wrapSystemError(error, 'begin a segment', next);
    return new StoreError(
      'IO_FAILED',
      `${failure.message.replace(/^\w+: /, '')}. Nothing was written of the record that needs it; make room and try again`,
      {
        cause: error,
        path: next,
        ...(failure.reason === undefined ? {} : { reason: failure.reason }),
      },
    );
  }

  private appendOne(
    type: RecordType,
    key: Uint8Array,
    payload: Uint8Array,
    byteLength: number,
    operation: number,
  ): RecordRef {
    this.makeRoom(byteLength);
    checkUnchanged(key, payload, byteLength);
    const { tail } = this;
    const { segmentId, sizeBytes: offset } = tail.active;
    try {
      tail.active.append(type, tail.nextTxid, key, payload);
    } catch (error) {
      // The memory went away in this very call: no byte was handed to the kernel.
      if (error instanceof TypeError) throw error;
      throw this.latch.close('WRITE_FAILED', 'the append', error);
    }
    tail.nextTxid++;
    this.probe?.event?.({ kind: 'wrote', operation, segmentId, offset, sizeBytes: byteLength });
    return { segmentId, offset, byteLength };
  }

  private appendStaged(
    appends: readonly Append[],
    written: (append: Append, ref: RecordRef) => void,
    operation: number,
  ): void {
    const { tail } = this;
    let staged: { append: Append; ref: RecordRef }[] = [];
    const flush = () => {
      if (staged.length === 0) return;
      const { active } = tail;
      const { segmentId, sizeBytes: before } = active;
      try {
        active.flush();
      } catch (error) {
        throw this.latch.close('WRITE_FAILED', 'the append of a batch', error);
      }
      this.probe?.event?.({
        kind: 'wrote',
        operation,
        segmentId,
        offset: before,
        sizeBytes: active.sizeBytes - before,
      });
      for (const { append, ref } of staged) written(append, ref);
      staged = [];
    };
    try {
      for (const append of appends) {
        const { type, key, payload, byteLength } = append;
        if (this.needsRoom(byteLength) || !tail.active.canStage(key, payload)) {
          flush();
          this.makeRoom(byteLength);
        }
        const { active } = tail;
        if (!active.canStage(key, payload)) {
          written(append, this.appendOne(type, key, payload, byteLength, operation));
          continue;
        }
        checkUnchanged(key, payload, byteLength);
        const offset = active.sizeBytes + active.stagedBytes;
        active.stage(type, tail.nextTxid, key, payload);
        tail.nextTxid++;
        // Counted only once it is staged: what was not is no txid to give back.
        staged.push({ append, ref: { segmentId: active.segmentId, offset, byteLength } });
      }
      flush();
    } catch (error) {
      // What was not written must not go out with somebody else's records.
      tail.active.dropStaged();
      tail.nextTxid -= staged.length;
      throw error;
    }
  }

  private needsRoom(byteLength: number): boolean {
    const { sizeBytes, stagedBytes } = this.tail.active;
    return this.isFull(sizeBytes + stagedBytes, byteLength) || this.unsyncedIsFull();
  }

  /** Rotates a full segment before an append, and syncs when too much is unsynced. */
  private makeRoom(byteLength: number): void {
    if (this.isFull(this.tail.active.sizeBytes, byteLength)) this.rotate();
    if (this.unsyncedIsFull()) this.syncs.syncNow();
  }

  /** A frame that is longer than a segment has one to itself. */
  private isFull(usedBytes: number, byteLength: number): boolean {
    return usedBytes > 0 && usedBytes + byteLength > this.segmentBytes;
  }

  private unsyncedIsFull(): boolean {
    return this.syncs.unsyncedRecords >= MAX_UNSYNCED_RECORDS;
  }
}

/**
 * Throws where the memory went away between the check of the arguments and the write. Others were
 * told something meanwhile, and may have transferred it: its length is 0 then. Nothing has been
 * written yet.
 */
function checkUnchanged(key: Uint8Array, payload: Uint8Array, byteLength: number): void {
  if (frameBytes(key.length, payload.length) === byteLength) return;
  throw new TypeError(
    'the memory of a key or value went away while it was about to be written; nothing of it was',
  );
}
