import { printableText } from './printable-text.ts';

/**
 * What can go wrong, by a code that never changes its meaning. Misuse (a wrong type, a key that is
 * too long) is a `TypeError` or `RangeError` instead, thrown before any I/O.
 */
export type StoreErrorCode =
  /** Another writer holds the directory; the message names it. */
  | 'STORE_LOCKED'
  /** Damage that no crash explains. Nothing was changed. */
  | 'STORE_CORRUPT'
  /**
   * A torn value and a damaged length look the same here, because there is no durable mark. Nothing
   * was changed.
   */
  | 'AMBIGUOUS_TAIL'
  /** `recovery: 'strict'` met an ordinary torn tail. Nothing was changed. */
  | 'TORN_TAIL'
  /** A write or a sync failed earlier; reopen to continue writing. */
  | 'WRITER_POISONED'
  /**
   * The path no longer leads to the directory, or the `.lock`, that this store was opened with: one
   * of them was moved, removed or replaced. Nothing was written into what stands there now.
   */
  | 'STORE_MOVED'
  /** This write failed; whether it survives is unknown until the store is reopened. */
  | 'WRITE_FAILED'
  /** This sync failed; what it should have made durable may or may not be. */
  | 'SYNC_FAILED'
  /** A read returned an operating-system error. */
  | 'READ_FAILED'
  | 'STORE_CLOSED'
  /**
   * Somebody whom the store was telling something (a probe) called it at once. Nothing was changed:
   * call it a moment later.
   */
  | 'REENTRANT'
  /** The bytes of a frame do not match their checksum. */
  | 'CRC_MISMATCH'
  /** A frame is whole but is not the one that was asked for, or ends too early. */
  | 'FRAME_MISMATCH'
  /** The bytes of a key or value are not what the encoding of `encoded` writes. */
  | 'NOT_DECODABLE'
  /** A reader's snapshot was replaced under it: open a new one. */
  | 'SNAPSHOT_GONE'
  | 'NOT_FOUND'
  | 'NOT_A_DIRECTORY'
  | 'PERMISSION_DENIED'
  | 'TARGET_NOT_EMPTY'
  /** A backup that was cut short: run it again. */
  | 'BACKUP_UNFINISHED'
  | 'IMPORT_MALFORMED'
  /** The keydir cannot grow. Nothing was written; reads go on. */
  | 'OUT_OF_MEMORY'
  /** There is not enough room for what a merge would write. Nothing was changed. */
  | 'NO_SPACE'
  /** Segment ids are used up. */
  | 'LOG_FULL'
  /** Any other operating-system error while opening or closing. */
  | 'IO_FAILED';

/** Where and why, beside the sentence in `message`. */
export interface StoreErrorDetails {
  readonly cause?: unknown;
  readonly path?: string;
  readonly segmentId?: number;
  /** Bytes from the start of the segment. */
  readonly offset?: number;
  readonly reason?: string;
  /** True when the failed operation may or may not have taken effect. */
  readonly indeterminate?: boolean;
  /** Process id of the holder, with `STORE_LOCKED`. */
  readonly holderPid?: number;
  /**
   * The records that a follower asked for and that are gone, with `SNAPSHOT_GONE`; both included.
   */
  readonly firstTxid?: number;
  readonly lastTxid?: number;
  /** One-based, with `IMPORT_MALFORMED`. */
  readonly line?: number;
}

export class StoreError extends Error {
  override readonly name = 'StoreError';
  readonly code: StoreErrorCode;
  readonly path: string | undefined;
  readonly segmentId: number | undefined;
  readonly offset: number | undefined;
  readonly reason: string | undefined;
  readonly indeterminate: boolean;
  readonly holderPid: number | undefined;
  readonly firstTxid: number | undefined;
  readonly lastTxid: number | undefined;
  readonly line: number | undefined;

  constructor(code: StoreErrorCode, message: string, details: StoreErrorDetails = {}) {
    super(
      // A path, or what another program wrote, may hold anything.
      printableText(`${code}: ${message}`),
      details.cause === undefined ? undefined : { cause: details.cause },
    );
    this.code = code;
    this.path = details.path;
    this.segmentId = details.segmentId;
    this.offset = details.offset;
    this.reason = details.reason;
    this.indeterminate = details.indeterminate ?? false;
    this.holderPid = details.holderPid;
    this.firstTxid = details.firstTxid;
    this.lastTxid = details.lastTxid;
    this.line = details.line;
  }
}

/** The `errno` name of an operating-system error (`ENOSPC`), or undefined for anything else. */
export function errnoOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  return typeof code === 'string' && /^E[A-Z0-9]+$/.test(code) ? code : undefined;
}

const NO_ROOM: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);

/** Is the disk, the quota or the largest file full? */
export function isNoRoom(error: unknown): boolean {
  return NO_ROOM.has(errnoOf(error) ?? '');
}

/** Is this what the caller's signal, or a close, ends long work with? */
export function isAborted(error: unknown, signal: AbortSignal | undefined): boolean {
  const isReason = signal?.aborted === true && error === signal.reason;
  return isReason || (error instanceof StoreError && error.code === 'STORE_CLOSED');
}

/** What callers' functions have thrown, while somebody still holds it. */
const thrownByCallers = new WeakSet<object>();

/**
 * Calls a function of the caller's. What it throws reaches the caller as it is, whoever is between.
 */
export function callBack<Args extends unknown[]>(
  callback: ((...args: Args) => void) | undefined,
  ...args: Args
): void {
  try {
    callback?.(...args);
  } catch (error) {
    if (typeof error === 'object' && error !== null) thrownByCallers.add(error);
    throw error;
  }
}

/**
 * Turns an operating-system error met at `path` into the `StoreError` that says what to do about
 * it.
 */
export function wrapSystemError(error: unknown, action: string, path: string): StoreError {
  if (error instanceof StoreError) return error;
  const errno = errnoOf(error);
  // What a caller's own function threw is not the disk's fault.
  if (typeof error !== 'object' || error === null || thrownByCallers.has(error)) throw error;
  const details = { cause: error, path, reason: errno ?? 'unknown' };
  if ((error as { code?: unknown } | null)?.code === 'ERR_ACCESS_DENIED') {
    const why = (error as Error).message;
    return new StoreError('PERMISSION_DENIED', `cannot ${action} at ${path}: ${why}`, details);
  }
  switch (errno) {
    case 'ENOENT':
      return new StoreError('NOT_FOUND', `cannot ${action}: ${path} does not exist`, details);
    case 'ENOTDIR':
    case 'EEXIST':
      return new StoreError(
        'NOT_A_DIRECTORY',
        `cannot ${action}: ${path} is not a directory`,
        details,
      );
    case 'ELOOP':
      return new StoreError(
        'PERMISSION_DENIED',
        `cannot ${action}: a file of the store at ${path} is a symbolic link, and nothing is written through one`,
        details,
      );
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return new StoreError(
        'PERMISSION_DENIED',
        `cannot ${action}: this user may not do that at ${path} (${errno})`,
        details,
      );
    default:
      return new StoreError(
        'IO_FAILED',
        `cannot ${action} at ${path}: ${error instanceof Error ? error.message : String(error)}`,
        details,
      );
  }
}
