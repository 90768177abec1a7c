import { type FileSystem, NodeFileSystem } from '../../../src/engine/index.ts';
import { type Call, intercept, isChange } from '../../file-systems/intercepted.ts';

/** Counts the changes of a file system, and says which is the last. */
export class KillPoint {
  changes = 0;
  private last = Number.POSITIVE_INFINITY;

  /** The n-th from now on; 0: none. */
  dieIn(changes: number): void {
    this.last = changes > 0 ? this.changes + changes : Number.POSITIVE_INFINITY;
  }

  /** Whether the change that begins is the one. */
  count(): boolean {
    return ++this.changes >= this.last;
  }
}

/**
 * The real file system, for a process that kills itself in a change: a write after half of it,
 * anything else before it has begun. `onDeath` is told the method right before. Dying after a
 * change is dying before the next.
 */
export function dyingFileSystem(point: KillPoint, onDeath: (method: string) => void): FileSystem {
  const real = new NodeFileSystem();
  return intercept(real, (call) => {
    if (!isChange(call) || !point.count()) return call.proceed();
    writeHalf(real, call);
    onDeath(call.method);
    process.kill(process.pid, 'SIGKILL');
    throw new Error('a killed process went on');
  });
}

function writeHalf(fileSystem: FileSystem, { method, args }: Call): void {
  if (method === 'write') {
    const [descriptor, buffer, offset, length, position] = args as [
      number,
      Uint8Array,
      number,
      number,
      number,
    ];
    fileSystem.write(descriptor, buffer, offset, length >>> 1, position);
  } else if (method === 'writeVector') {
    const [descriptor, buffers, position] = args as [number, readonly Uint8Array[], number];
    const bytes = Buffer.concat(buffers);
    fileSystem.write(descriptor, bytes, 0, bytes.length >>> 1, position);
  }
}
