import type { Engine } from './group.ts';

/**
 * Calls, and bytes that went through them, since the last `take`. Only reads of segments and their
 * seal files count as such: the lock's record is read, too, and has a length that the process id
 * changes.
 */
export interface CallCounts {
  preads: number;
  preadBytes: number;
  writes: number;
  writtenBytes: number;
  dataSyncs: number;
  directorySyncs: number;
  /** Opened, less closed, since the beginning. */
  descriptors: number;
}

export interface CountingFileSystem {
  readonly fileSystem: InstanceType<Engine['NodeFileSystem']>;
  /** The counts since the last call, which begin again at 0, and the descriptors open now. */
  take(): CallCounts;
}

/** The real file system, which counts what is asked of it. */
export function countCalls({ NodeFileSystem }: Pick<Engine, 'NodeFileSystem'>): CountingFileSystem {
  const counts = zero();
  const logDescriptors = new Set<number>();
  const countRead = (descriptor: number, bytes: number) => {
    if (!logDescriptors.has(descriptor)) return;
    counts.preads++;
    counts.preadBytes += bytes;
  };
  class Counting extends NodeFileSystem {
    override open(...args: Parameters<InstanceType<Engine['NodeFileSystem']>['open']>): number {
      const descriptor = super.open(...args);
      counts.descriptors++;
      if (/\.(?:dwal|seal)$/.test(args[0])) logDescriptors.add(descriptor);
      return descriptor;
    }
    override close(descriptor: number): void {
      super.close(descriptor);
      counts.descriptors--;
      logDescriptors.delete(descriptor);
    }
    override read(
      d: number,
      buffer: Uint8Array,
      offset: number,
      length: number,
      position: number,
    ): number {
      const count = super.read(d, buffer, offset, length, position);
      countRead(d, count);
      return count;
    }
    override async readAsync(
      d: number,
      buffer: Uint8Array,
      offset: number,
      length: number,
      position: number,
    ): Promise<number> {
      const count = await super.readAsync(d, buffer, offset, length, position);
      countRead(d, count);
      return count;
    }
    override write(
      d: number,
      buffer: Uint8Array,
      offset: number,
      length: number,
      position: number,
    ): number {
      const count = super.write(d, buffer, offset, length, position);
      counts.writes++;
      counts.writtenBytes += count;
      return count;
    }
    override writeVector(d: number, buffers: readonly Uint8Array[], position: number): number {
      const count = super.writeVector(d, buffers, position);
      counts.writes++;
      counts.writtenBytes += count;
      return count;
    }
    override dataSync(descriptor: number): void {
      super.dataSync(descriptor);
      counts.dataSyncs++;
    }
    override async dataSyncAsync(descriptor: number): Promise<void> {
      await super.dataSyncAsync(descriptor);
      counts.dataSyncs++;
    }
    override directorySync(path: string): void {
      super.directorySync(path);
      counts.directorySyncs++;
    }
    override async directorySyncAsync(path: string): Promise<void> {
      await super.directorySyncAsync(path);
      counts.directorySyncs++;
    }
  }
  return {
    fileSystem: new Counting(),
    take() {
      const taken = { ...counts };
      Object.assign(counts, zero(), { descriptors: taken.descriptors });
      return taken;
    },
  };
}

function zero(): CallCounts {
  return {
    preads: 0,
    preadBytes: 0,
    writes: 0,
    writtenBytes: 0,
    dataSyncs: 0,
    directorySyncs: 0,
    descriptors: 0,
  };
}
