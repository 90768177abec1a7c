import { HEADER_BYTES } from '../format/format.ts';
import type { FileSystem } from '../host/file-system.ts';
import { checkBoolean, checkFunction, checkInteger, kindOf } from '../host/options.ts';
import type { Probe } from '../host/probe.ts';
import type { RecoveryMode } from './recovery.ts';

export interface LogOptions {
  /** What probes call this store. Default: the last part of the directory's path. */
  readonly name?: string;
  /**
   * A segment is sealed when the next frame would make it longer than this. Bytes; default 64 MiB.
   */
  readonly segmentBytes?: number;
  /** Read descriptors kept open; 0 opens one for every read. Default 16. */
  readonly descriptorPoolSize?: number;
  /**
   * Default `prefix`. To take every valid record out of a store that both refuse, see `salvage`.
   */
  readonly recovery?: RecoveryMode;
  /**
   * Take damage that holds valid frames inside its claimed extent for a torn value. Ask for it only
   * after `AMBIGUOUS_TAIL`, having looked: if it was a damaged length instead, the records behind
   * it are cut off (and kept in `quarantine/`).
   */
  readonly acceptAmbiguousTail?: boolean;
  /**
   * `seals` takes a sealed segment that has a valid seal file from that, unread; damage in it is
   * found when it is read. `full` reads and checks every byte. Default `seals`.
   */
  readonly open?: 'seals' | 'full';
  /** Called every few megabytes while the log is scanned. */
  readonly onOpenProgress?: (scannedBytes: number, totalBytes: number) => void;
  readonly probe?: Probe | readonly Probe[];
  /** Default: the real one. */
  readonly fileSystem?: FileSystem;
}

export const LOG_OPTIONS = [
  'name',
  'segmentBytes',
  'descriptorPoolSize',
  'recovery',
  'acceptAmbiguousTail',
  'open',
  'onOpenProgress',
  'probe',
  'fileSystem',
] as const satisfies readonly (keyof LogOptions)[];

export const DEFAULT_SEGMENT_BYTES = 64 * 1024 * 1024;
const MAX_SEGMENT_BYTES = 4 * 1024 * 1024 * 1024;
export const DEFAULT_DESCRIPTOR_POOL_SIZE = 16;
const MAX_DESCRIPTOR_POOL_SIZE = 65_536;

const NOT_AN_OPENING =
  "recovery: 'salvage' opens nothing, because what it keeps goes into a new directory: await salvage(damaged, rescued), or npx tidemark salvage DAMAGED RESCUED; then open what was rescued";

/** The options with their defaults; throws `TypeError` or `RangeError` naming the option. */
export function resolveLogOptions(options: LogOptions): {
  segmentBytes: number;
  descriptorPoolSize: number;
  recovery: RecoveryMode;
  open: 'seals' | 'full';
  acceptAmbiguousTail: boolean;
} {
  const {
    recovery = 'prefix',
    open = 'seals',
    segmentBytes = DEFAULT_SEGMENT_BYTES,
    descriptorPoolSize = DEFAULT_DESCRIPTOR_POOL_SIZE,
  } = options;
  if ((recovery as string) === 'salvage') throw new RangeError(NOT_AN_OPENING);
  if (recovery !== 'prefix' && recovery !== 'strict') {
    throw new RangeError(`recovery must be 'prefix' or 'strict', not ${JSON.stringify(recovery)}`);
  }
  if (open !== 'seals' && open !== 'full') {
    throw new RangeError(`open must be 'seals' or 'full', not ${JSON.stringify(open)}`);
  }
  const { acceptAmbiguousTail = false, onOpenProgress, name } = options;
  checkBoolean('acceptAmbiguousTail', acceptAmbiguousTail);
  checkFunction('onOpenProgress', onOpenProgress);
  if (name !== undefined && typeof name !== 'string')
    throw new TypeError(`name must be a string, not ${kindOf(name)}`);
  checkFileSystem(options.fileSystem);
  return {
    segmentBytes: checkInteger('segmentBytes', segmentBytes, HEADER_BYTES, MAX_SEGMENT_BYTES),
    descriptorPoolSize: checkInteger(
      'descriptorPoolSize',
      descriptorPoolSize,
      0,
      MAX_DESCRIPTOR_POOL_SIZE,
    ),
    recovery,
    open,
    acceptAmbiguousTail,
  };
}

/** It is used for everything: what has no `open` would only fail later, and with less to say. */
function checkFileSystem(fileSystem: unknown): void {
  if (fileSystem === undefined) return;
  if (typeof (fileSystem as { open?: unknown } | null)?.open !== 'function')
    throw new TypeError(`fileSystem must be a FileSystem, not ${kindOf(fileSystem)}`);
}
