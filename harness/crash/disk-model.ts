import { dirname } from 'node:path';
import { MemoryFileSystem } from './memory-file-system.ts';
import type { TraceEvent } from './trace.ts';

/**
 * What stable storage may hold while a trace runs: what was synced, and the pieces that were not, each of which a power
 * cut may keep, lose, or (a write) tear. Nothing orders pieces but a sync between them.
 */

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

/** What became of a piece. A torn write kept `[keepFrom, keepTo)` of its bytes; what else it covers holds `fill`. */
export type Fate =
  | 'lost'
  | 'kept'
  | {
      readonly keepFrom: number;
      readonly keepTo: number;
      /** Of the bytes by which it made the file longer: not there, zeros, or what the disk held before. */
      readonly fill: 'short' | 'zeros' | 'garbage';
    };

interface Names {
  readonly files: Map<string, number>;
  readonly directories: Set<string>;
}

/** The files and directories that the next opening finds. */
export interface DiskImage {
  readonly files: ReadonlyMap<string, Buffer>;
  readonly directories: ReadonlySet<string>;
}

export const EMPTY_DISK: DiskImage = { files: new Map(), directories: new Set(['/']) };

export class DiskModel {
  private readonly durableNames: Names;
  private readonly durableData = new Map<number, Buffer>();
  private pending: Piece[] = [];

  /** `inodes` says which inode each file of the first image has in the trace. */
  constructor(first: DiskImage, inodes: (path: string) => number) {
    this.durableNames = { files: new Map(), directories: new Set(first.directories) };
    for (const [path, bytes] of first.files) {
      this.durableNames.files.set(path, inodes(path));
      this.durableData.set(inodes(path), bytes);
    }
  }

  /** Pieces that no sync covers, in the order in which they were made. */
  get pieces(): readonly Piece[] {
    return this.pending;
  }

  advance(event: TraceEvent, at: number): void {
    switch (event.kind) {
      case 'dataSync':
        this.settle(
          (piece) => isData(piece.event) && piece.event.inode === event.inode && piece.at < event.since,
        );
        break;
      case 'directorySync':
        this.settle(
          (piece) => !isData(piece.event) && parentOf(piece.event) === event.path && piece.at < event.since,
        );
        break;
      case 'acknowledged':
      case 'appended':
        break;
      default:
        this.pending.push({ at, event });
    }
  }

  /** The image in which each pending piece met its fate. */
  image(fateOf: (index: number) => Fate): DiskImage {
    const names: Names = {
      files: new Map(this.durableNames.files),
      directories: new Set(this.durableNames.directories),
    };
    const changed = new Map<number, Buffer>();
    this.pending.forEach(({ event }, index) => {
      const fate = fateOf(index);
      if (fate === 'lost') return;
      if (!isData(event)) applyName(names, event);
      else
        changed.set(
          event.inode,
          applyData(changed.get(event.inode) ?? this.dataOf(event.inode), event, fate),
        );
    });
    const files = new Map<string, Buffer>();
    for (const [path, inode] of names.files) {
      // A file whose directory did not survive is not found.
      if (names.directories.has(dirname(path))) files.set(path, changed.get(inode) ?? this.dataOf(inode));
    }
    return { files, directories: names.directories };
  }

  private dataOf(inode: number): Buffer {
    return this.durableData.get(inode) ?? Buffer.alloc(0);
  }

  private settle(isCovered: (piece: Piece) => boolean): void {
    this.pending = this.pending.filter((piece) => {
      if (!isCovered(piece)) return true;
      const { event } = piece;
      if (!isData(event)) applyName(this.durableNames, event);
      else this.durableData.set(event.inode, applyData(this.dataOf(event.inode), event, 'kept'));
      return false;
    });
  }
}

function isData(event: NameEvent | DataEvent): event is DataEvent {
  return event.kind === 'write' || event.kind === 'truncate';
}

function parentOf(event: NameEvent): string {
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
      renameName({ files, directories }, event.from, event.to);
  }
}

/** A rename is atomic: of a file, or of a directory with everything in it. Its source may itself have been lost. */
function renameName({ files, directories }: Names, from: string, to: string): void {
  const inode = files.get(from);
  if (inode !== undefined) {
    files.delete(from);
    files.set(to, inode);
    return;
  }
  if (!directories.delete(from)) return;
  directories.add(to);
  for (const [path, moved] of [...files]) {
    if (!path.startsWith(`${from}/`)) continue;
    files.delete(path);
    files.set(to + path.slice(from.length), moved);
  }
}

function applyData(before: Buffer, event: DataEvent, fate: Exclude<Fate, 'lost'>): Buffer {
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
  if (fill === 'garbage' && end > before.length)
    fillWithGarbage(after, Math.max(before.length, position), end);
  bytes.copy(after, position + keepFrom, keepFrom, keepTo);
  return after;
}

/** The same bytes each time, so that an image can be built again; none of them zero. */
function fillWithGarbage(target: Buffer, from: number, to: number): void {
  for (let at = from; at < to; at++) target[at] = 1 + ((at * 167 + 13) % 255);
}

export function fileSystemOf(image: DiskImage): MemoryFileSystem {
  const fileSystem = new MemoryFileSystem();
  for (const path of image.directories) fileSystem.makeDirectory(path);
  for (const [path, bytes] of image.files) fileSystem.writeFile(path, bytes);
  return fileSystem;
}
