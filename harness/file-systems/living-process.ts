import type { FileSystem, Lease } from '../../src/engine/index.ts';
import { type Call, intercept, isChange } from './intercepted.ts';
import type { MemoryFileSystem } from './memory-file-system.ts';
import { systemError } from './system-error.ts';

/** What a process that is dead meets in every call; nobody else hears of it. */
export class ProcessDied extends Error {
  constructor() {
    super('the process is dead');
  }
}

/**
 * One of several processes that share a file system in memory. It can die, at once or in the n-th
 * call that changes the disk: its descriptors, locks and leases go, and those of the others stay.
 */
export class LivingProcess {
  readonly fileSystem: FileSystem;
  /** Called before each call that changes the disk. */
  onChange: (call: Call) => void = () => {};
  private readonly memory: MemoryFileSystem;
  private readonly descriptors = new Set<number>();
  private readonly leases = new Set<Lease>();
  private isGone = false;
  private changesLeft = Number.POSITIVE_INFINITY;
  private failing: { left: number; readonly code: string; readonly path: string } | undefined;
  private changeCount = 0;
  private failureCount = 0;

  constructor(memory: MemoryFileSystem) {
    this.memory = memory;
    this.fileSystem = intercept<FileSystem>(memory, (call) => this.call(call));
  }

  get isDead(): boolean {
    return this.isGone;
  }

  /** Calls that have changed the disk. */
  get changes(): number {
    return this.changeCount;
  }

  /** Calls that were made to fail. */
  get failures(): number {
    return this.failureCount;
  }

  /**
   * The process dies in the n-th call from now that changes the disk: a write half done, anything
   * else not at all.
   */
  dieIn(changes: number): void {
    this.changesLeft = changes;
  }

  /** The n-th call from now that changes something below this path fails, once. */
  failIn(changes: number, code: string, path: string): void {
    this.failing = { left: changes, code, path };
  }

  /** Takes back what was asked for and has not happened. */
  calmDown(): void {
    this.changesLeft = Number.POSITIVE_INFINITY;
    this.failing = undefined;
  }

  die(): void {
    this.isGone = true;
    for (const descriptor of this.descriptors) this.memory.close(descriptor);
    this.descriptors.clear();
    // What releases one of these does it at once.
    for (const lease of this.leases) void lease.release();
    this.leases.clear();
  }

  private call(call: Call): unknown {
    if (this.isGone) {
      // Whatever it held is closed by now.
      if (call.method === 'close' || call.method === 'closeAsync') return undefined;
      throw new ProcessDied();
    }
    if (isChange(call)) this.meet(call);
    const result = call.proceed();
    const [first] = call.args;
    if (call.method === 'open') this.descriptors.add(result as number);
    else if (call.method === 'close' || call.method === 'closeAsync')
      this.descriptors.delete(first as number);
    else if (call.method === 'holdLease') return this.holding(result as Promise<Lease>);
    return result;
  }

  private meet(call: Call): void {
    this.changeCount++;
    this.onChange(call);
    if (--this.changesLeft === 0) {
      if (call.method === 'write') this.writeHalf(call.args);
      this.die();
      throw new ProcessDied();
    }
    const { failing } = this;
    if (failing === undefined || !isBelow(call, failing.path) || --failing.left > 0) return;
    this.failing = undefined;
    this.failureCount++;
    throw systemError(failing.code, call.method);
  }

  private writeHalf(args: readonly unknown[]): void {
    const [descriptor, bytes, offset, length, position] = args as Parameters<FileSystem['write']>;
    this.memory.write(descriptor, bytes, offset, length >>> 1, position);
  }

  private async holding(held: Promise<Lease>): Promise<Lease> {
    const lease = await held;
    if (this.isGone) {
      void lease.release();
      throw new ProcessDied();
    }
    this.leases.add(lease);
    return {
      ageMs: () => lease.ageMs(),
      release: async () => {
        if (this.leases.delete(lease)) await lease.release();
      },
    };
  }
}

function isBelow({ path, args, method }: Call, directory: string): boolean {
  const paths = method === 'rename' || method === 'link' ? [path, String(args[1])] : [path];
  return paths.some((one) => one === directory || one.startsWith(`${directory}/`));
}
