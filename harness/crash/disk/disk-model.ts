import { dirname } from 'node:path';
import type { DiskImage } from '../../file-systems/disk-image.ts';
import type { TraceEvent } from '../../file-systems/trace.ts';

/**
 * What stable storage may hold while a trace runs: what was synced, and the pieces that were not,
 * each of which a power cut may keep, lose, or (a write) tear. Under `posix` nothing orders pieces
 * but a sync between them. Under `ext4` a journal orders names and sizes, and whatever waits for
 * blocks follows them; see `legal-fates.ts`.
 */
export type CrashModel = 'posix' | 'ext4';

export type NameEvent = Extract<
  TraceEvent,
  { kind: 'makeDirectory' | 'removeDirectory' | 'create' | 'remove' | 'rename' }
>;
export type DataEvent = Extract<TraceEvent, { kind: 'write' | 'truncate' }>;

export interface Piece {
  /** Index in the trace. */
  readonly at: number;
  readonly event: NameEvent | DataEvent;
}

/** A piece, and what syncs mean to it. */
export interface PendingPiece extends Piece {
  /** The kernel failed to write it back and takes it for clean: no sync covers it any more. */
  isAbandoned: boolean;
  /** Covered by a sync, and kept in its place only because an abandoned piece lies under it. */
  isSettled: boolean;
  /** What was last written at each position of the file before this, cut off since or not. */
  readonly stale: Buffer;
  /** A write that made its file longer, so that its end waits for the size in the journal. */
  readonly isExtending: boolean;
  /** The event from which on a kept name or size has these bytes on disk before it. */
  allocatedAt: number;
}

/**
 * What became of a piece. A torn write kept `[keepFrom, keepTo)` of its bytes; what else it covers
 * holds `fill`.
 */
export type Fate =
  | 'lost'
  | 'kept'
  | {
      readonly keepFrom: number;
      readonly keepTo: number;
      readonly fill: Fill;
    };

/**
 * What stands where a torn write made the file longer: nothing, zeros, foreign bytes, or those that
 * once stood there before the file was cut.
 */
export type Fill = 'short' | 'zeros' | 'garbage' | 'stale';

interface Names {
  readonly files: Map<string, number>;
  readonly directories: Set<string>;
}

export class DiskModel {
  private readonly durableNames: Names;
  private readonly durableData = new Map<number, Buffer>();
  /** The bytes last written at every position that an inode ever had, by inode. */
  private readonly staleData = new Map<number, Buffer>();
  private readonly sizes = new Map<number, number>();
  private pending: PendingPiece[] = [];
  private choices: readonly PendingPiece[] | undefined;
  /** The names as the running system sees them. */
  private readonly liveNames: Names;
  private readonly model: CrashModel;

  /** `inodes` says which inode each file of the first image has in the trace. */
  constructor(first: DiskImage, inodes: (path: string) => number, model: CrashModel = 'posix') {
    this.model = model;
    this.durableNames = { files: new Map(), directories: new Set(first.directories) };
    this.liveNames = { files: new Map(), directories: new Set(first.directories) };
    for (const [path, bytes] of first.files) {
      this.durableNames.files.set(path, inodes(path));
      this.liveNames.files.set(path, inodes(path));
      this.durableData.set(inodes(path), bytes);
      this.staleData.set(inodes(path), bytes);
      this.sizes.set(inodes(path), bytes.length);
    }
  }

  /** Pieces that no sync covers, in the order in which they were made. */
  get pieces(): readonly PendingPiece[] {
    this.choices ??= this.pending.filter(({ isSettled }) => !isSettled);
    return this.choices;
  }

  advance(event: TraceEvent, at: number): void {
    this.choices = undefined;
    switch (event.kind) {
      case 'dataSync':
        this.settle(
          (piece) =>
            wasBefore(piece, event) &&
            ((isData(piece.event) && piece.event.inode === event.inode) ||
              (this.model === 'ext4' && this.commits(event) && isCommitted(piece))),
        );
        break;
      case 'directorySync':
        this.settle(
          (piece) =>
            wasBefore(piece, event) &&
            (this.model === 'ext4'
              ? isCommitted(piece)
              : !isData(piece.event) && parentOf(piece.event) === event.path),
        );
        break;
      case 'closedAfterTruncate':
        this.allocate(event.inode, at);
        break;
      case 'writebackFailed':
        for (const piece of this.pending) {
          if (!isData(piece.event) || piece.event.inode !== event.inode || piece.at < event.since)
            continue;
          piece.isAbandoned = !piece.isSettled;
        }
        break;
      case 'write': {
        const stale = this.staleData.get(event.inode) ?? NO_BYTES;
        this.staleData.set(event.inode, applyData(stale, event, 'kept', NO_BYTES));
        const end = event.position + event.bytes.length;
        const isExtending = end > (this.sizes.get(event.inode) ?? 0);
        if (isExtending) this.sizes.set(event.inode, end);
        this.pending.push({ ...FRESH, at, event, stale, isExtending });
        break;
      }
      case 'truncate':
        this.sizes.set(event.inode, event.sizeBytes);
        this.pending.push({ ...FRESH, at, event });
        break;
      default: {
        const replaced = event.kind === 'rename' ? this.liveNames.files.get(event.to) : undefined;
        applyName(this.liveNames, event);
        this.pending.push({ ...FRESH, at, event });
        if (event.kind === 'rename' && event.inode !== undefined && replaced !== undefined)
          this.allocate(event.inode, at);
      }
    }
  }

  /** The bytes of a file have blocks from event `at` on. */
  private allocate(inode: number, at: number): void {
    for (const piece of this.pending) {
      if (piece.event.kind === 'write' && piece.event.inode === inode)
        piece.allocatedAt = Math.min(piece.allocatedAt, at);
    }
  }

  /** An `fdatasync` of bytes that stand in their blocks already touches no journal. */
  private commits(event: Extract<TraceEvent, { kind: 'dataSync' }>): boolean {
    return (
      event.onlyData !== true ||
      this.pending.some(
        (piece) =>
          wasBefore(piece, event) &&
          'inode' in piece.event &&
          piece.event.inode === event.inode &&
          (piece.event.kind !== 'write' || piece.isExtending),
      )
    );
  }

  /** The image in which each of `pieces` met its fate. */
  image(fateOf: (index: number) => Fate): DiskImage {
    const names: Names = {
      files: new Map(this.durableNames.files),
      directories: new Set(this.durableNames.directories),
    };
    const changed = new Map<number, Buffer>();
    let choice = 0;
    for (const { event, isSettled, stale } of this.pending) {
      const fate = isSettled ? 'kept' : fateOf(choice++);
      if (fate === 'lost') continue;
      if (!isData(event)) applyName(names, event);
      else {
        const before = changed.get(event.inode) ?? this.dataOf(event.inode);
        changed.set(event.inode, applyData(before, event, fate, stale));
      }
    }
    const directories = reachable(names.directories);
    const files = new Map<string, Buffer>();
    for (const [path, inode] of names.files) {
      if (directories.has(dirname(path))) files.set(path, changed.get(inode) ?? this.dataOf(inode));
    }
    return { files, directories };
  }

  private dataOf(inode: number): Buffer {
    return this.durableData.get(inode) ?? NO_BYTES;
  }

  private settle(isCovered: (piece: PendingPiece) => boolean): void {
    for (const piece of this.pending) {
      if (!piece.isAbandoned && isCovered(piece)) piece.isSettled = true;
    }
    this.pending = this.pending.filter((piece) => !piece.isAbandoned || !this.isOverwritten(piece));
    const abandoned = new Set<number>();
    this.pending = this.pending.filter(({ event, isAbandoned, isSettled }) => {
      if (isAbandoned && isData(event)) abandoned.add(event.inode);
      if (!isSettled) return true;
      if (!isData(event)) applyName(this.durableNames, event);
      else if (abandoned.has(event.inode)) return true;
      else
        this.durableData.set(
          event.inode,
          applyData(this.dataOf(event.inode), event, 'kept', NO_BYTES),
        );
      return false;
    });
  }

  /** Did a later piece that is durable replace all of it? */
  private isOverwritten({ at, event }: Piece): boolean {
    return this.pending.some(
      (later) =>
        later.isSettled && later.at > at && isData(later.event) && covers(later.event, event),
    );
  }
}

/** Is nothing left of `earlier` once `later` has happened? */
function covers(later: DataEvent, earlier: NameEvent | DataEvent): boolean {
  if (earlier.kind !== 'write' || earlier.inode !== later.inode) return false;
  if (later.kind === 'truncate') return later.sizeBytes <= earlier.position;
  return (
    later.position <= earlier.position &&
    later.position + later.bytes.length >= earlier.position + earlier.bytes.length
  );
}

/** Those whose parents survived too. */
function reachable(directories: ReadonlySet<string>): Set<string> {
  const found = new Set<string>();
  // A parent's path is shorter than its children's.
  for (const path of [...directories].sort((a, b) => a.length - b.length)) {
    if (path === '/' || found.has(dirname(path))) found.add(path);
  }
  return found;
}

const NO_BYTES = Buffer.alloc(0);
const FRESH = {
  isAbandoned: false,
  isSettled: false,
  stale: NO_BYTES,
  isExtending: false,
  allocatedAt: Number.POSITIVE_INFINITY,
};

/** Had it returned when the sync began? */
function wasBefore(
  { at }: Piece,
  { since, inFlight }: { readonly since: number; readonly inFlight?: readonly number[] },
): boolean {
  return at < since && !inFlight?.includes(at);
}

/** Names and sizes, and what the journal waits for before them. */
function isCommitted({ event, allocatedAt }: PendingPiece): boolean {
  return event.kind !== 'write' || allocatedAt !== Number.POSITIVE_INFINITY;
}

export function isData(event: NameEvent | DataEvent): event is DataEvent {
  return event.kind === 'write' || event.kind === 'truncate';
}

export function parentOf(event: NameEvent): string {
  return dirname(event.kind === 'rename' ? event.to : event.path);
}

function applyName({ files, directories }: Names, event: NameEvent): void {
  switch (event.kind) {
    case 'makeDirectory':
      directories.add(event.path);
      break;
    case 'removeDirectory':
      directories.delete(event.path);
      break;
    case 'create':
      files.set(event.path, event.inode);
      break;
    case 'remove':
      files.delete(event.path);
      break;
    case 'rename':
      renameName({ files, directories }, event);
  }
}

/**
 * A rename is atomic, and it is about one file (or directory), whatever became of the entry that
 * this once had.
 */
function renameName(
  { files, directories }: Names,
  { from, to, inode }: Extract<NameEvent, { kind: 'rename' }>,
): void {
  if (inode !== undefined) {
    if (files.get(from) === inode) files.delete(from);
    files.set(to, inode);
    return;
  }
  for (const path of [...directories]) {
    if (path !== from && !path.startsWith(`${from}/`)) continue;
    directories.delete(path);
    directories.add(to + path.slice(from.length));
  }
  for (const [path, moved] of [...files]) {
    if (!path.startsWith(`${from}/`)) continue;
    files.delete(path);
    files.set(to + path.slice(from.length), moved);
  }
}

function applyData(
  before: Buffer,
  event: DataEvent,
  fate: Exclude<Fate, 'lost'>,
  stale: Buffer,
): Buffer {
  if (event.kind === 'truncate') {
    const after = Buffer.alloc(event.sizeBytes);
    before.copy(after, 0, 0, event.sizeBytes);
    return after;
  }
  const { position, bytes } = event;
  const [keepFrom, keepTo, fill] =
    fate === 'kept' ? [0, bytes.length, 'short' as const] : [fate.keepFrom, fate.keepTo, fate.fill];
  const end = position + (fill === 'short' ? keepTo : bytes.length);
  const after = Buffer.alloc(Math.max(before.length, end));
  before.copy(after);
  if (end > before.length) {
    const from = Math.max(before.length, position);
    if (fill === 'garbage' || fill === 'stale') fillWithGarbage(after, from, end);
    if (fill === 'stale' && from < stale.length)
      stale.copy(after, from, from, Math.min(end, stale.length));
  }
  bytes.copy(after, position + keepFrom, keepFrom, keepTo);
  return after;
}

/** The same bytes each time, so that an image can be built again; none of them zero. */
function fillWithGarbage(target: Buffer, from: number, to: number): void {
  for (let at = from; at < to; at++) target[at] = 1 + ((at * 167 + 13) % 255);
}
