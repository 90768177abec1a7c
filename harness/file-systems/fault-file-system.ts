import type { FileSystem } from '../../src/engine/index.ts';
import { type Call, intercept, isChange } from './intercepted.ts';
import type { RecordingFileSystem } from './recording-file-system.ts';
import { systemError } from './system-error.ts';

export const ERRNOS = ['EIO', 'ENOSPC', 'EDQUOT', 'EMFILE', 'EINTR'] as const;
export type Errno = (typeof ERRNOS)[number];

/** What is wrong with a call. */
export type FaultEffect =
  /**
   * It fails. A sync that fails has lost the bytes: reads still show them, and no later sync covers
   * them.
   */
  | Errno
  /** It reads or writes only half of what it was asked for. */
  | 'short'
  /** It writes half, and the call that should have written the rest fails. */
  | 'short, then ENOSPC';

export interface Fault {
  readonly kind: string;
  /** Which call of that kind fails, counted from 1. */
  readonly nth: number;
  readonly effect: FaultEffect;
  /** All later calls of that kind fail too. */
  readonly forGood: boolean;
}

/**
 * Breaks a call of the file systems that are handed out by `over`, one after the other while a
 * store is opened again and again, and remembers what was called.
 */
export class FaultInjector {
  /** How often each kind of call came. */
  readonly counts = new Map<string, number>();
  private readonly fault: Fault | undefined;
  private calm = false;
  private metCount = 0;
  private writeCount = 0;
  private retryCount = 0;
  private storeDirectory = '';
  /**
   * Files of the store, and its directory, whose sync is known to have failed since it was opened.
   */
  private readonly failedSyncs = new Set<string>();
  private failNextWrite = false;

  constructor(fault?: Fault) {
    this.fault = fault;
  }

  /** Calls that were broken so far. */
  get met(): number {
    return this.metCount;
  }

  /** Calls so far that changed what is read, or tried to: changes but no syncs. */
  get writes(): number {
    return this.writeCount;
  }

  /** Syncs of files whose sync had failed before in the same opening. */
  get retries(): number {
    return this.retryCount;
  }

  /** The store in `directory` is about to be opened. */
  noteOpening(directory: string): void {
    this.storeDirectory = directory;
    this.failedSyncs.clear();
  }

  /** Ends the fault: every later call works. */
  calmDown(): void {
    this.calm = true;
  }

  over(disk: RecordingFileSystem): FileSystem {
    return intercept(disk, (call) => this.around(disk, call));
  }

  private around(disk: RecordingFileSystem, call: Call): unknown {
    const kind = kindOf(call);
    const count = (this.counts.get(kind) ?? 0) + 1;
    this.counts.set(kind, count);
    const isSync = /Sync/.test(call.method);
    if (isChange(call) && !isSync) this.writeCount++;
    if (isSync && this.failedSyncs.has(call.path)) this.retryCount++;
    if (this.failNextWrite && isWrite(call)) {
      this.failNextWrite = false;
      throw systemError('ENOSPC', call.method);
    }
    const { fault } = this;
    if (fault === undefined || this.calm || kind !== fault.kind) return call.proceed();
    if (count < fault.nth || (count > fault.nth && !fault.forGood)) return call.proceed();
    this.metCount++;
    if (fault.effect !== 'short' && fault.effect !== 'short, then ENOSPC') {
      const isStores = isSync && `${call.path}/`.startsWith(`${this.storeDirectory}/`);
      return fail(disk, call, fault.effect, () => {
        if (isStores) this.failedSyncs.add(call.path);
      });
    }
    this.failNextWrite = fault.effect !== 'short';
    return halve(disk, call);
  }
}

/** Calls are told apart by their method, an `open` by its mode as well. */
export function kindOf({ method, args }: Call): string {
  return method === 'open' ? `open to ${args[1]}` : method;
}

/** Every effect that a call of this kind can have, and whether for good as well. */
export function effectsOn(
  kind: string,
): { readonly effect: FaultEffect; readonly forGood: boolean }[] {
  const once: FaultEffect[] = [...ERRNOS];
  const forGood: FaultEffect[] = [];
  if (/^read/.test(kind)) once.push('short');
  if (/^write/.test(kind)) {
    once.push('short', 'short, then ENOSPC');
    forGood.push('ENOSPC');
  }
  if (/Sync/.test(kind)) forGood.push('EIO');
  if (/^open/.test(kind)) forGood.push('EMFILE');
  return [
    ...once.map((effect) => ({ effect, forGood: false })),
    ...forGood.map((effect) => ({ effect, forGood: true })),
  ];
}

function isWrite({ method }: Call): boolean {
  return method === 'write' || method === 'writeVector';
}

/** `onHeard` is called when everybody who waits for the call has learned of it. */
function fail(disk: RecordingFileSystem, call: Call, errno: Errno, onHeard: () => void): unknown {
  const error = systemError(errno, call.method);
  const reject = () => {
    setImmediate(onHeard);
    return Promise.reject(error);
  };
  if (!call.method.endsWith('Async')) onHeard();
  switch (call.method) {
    case 'dataSync':
      // The kernel fails to write back, and takes the bytes for clean.
      disk.failIn(1);
      try {
        call.proceed();
      } catch {
        throw error;
      }
      return undefined;
    case 'dataSyncAsync':
      disk.failIn(1);
      return (call.proceed() as Promise<void>).catch(reject);
    case 'close':
      // The descriptor is gone all the same.
      call.proceed();
      throw error;
    case 'readAsync':
    case 'directorySyncAsync':
    case 'holdLease':
      return reject();
    default:
      throw error;
  }
}

function halve(disk: RecordingFileSystem, call: Call): unknown {
  if (call.method === 'writeVector') {
    const [descriptor, buffers, position] = call.args as [number, readonly Uint8Array[], number];
    const bytes = Buffer.concat(buffers);
    return disk.write(descriptor, bytes, 0, Math.max(1, bytes.length >>> 1), position);
  }
  const [descriptor, buffer, offset, length, position] = call.args as [
    number,
    Uint8Array,
    number,
    number,
    number,
  ];
  const half = Math.max(Math.min(length, 1), length >>> 1);
  return disk[call.method as 'read' | 'readAsync' | 'write'](
    descriptor,
    buffer,
    offset,
    half,
    position,
  );
}
