import { resolve } from 'node:path';
import { checksumName } from '../format/crc32c.ts';
import type { FileSystem } from '../host/file-system.ts';
import { fileSystemName, NodeFileSystem } from '../host/node-file-system.ts';
import { type Runtime, runtime } from '../host/runtime.ts';
import { type StoreWriter, writerNamedIn } from '../lock/writer-lock.ts';

/** What a store stands on: what runs it, and what holds it. */
export interface StoreSurroundings {
  readonly runtime: Runtime;
  /** Which implementation of CRC-32C this process uses. */
  readonly checksum: string;
  /** `ext4`, `tmpfs` and so on; a number where it has no name here. */
  readonly fileSystem: string;
  /** Whom `.lock` names as the writer. Null when the last one closed it, or is gone. */
  readonly writer: StoreWriter | null;
}

/**
 * Says what runs this process and who has the store in `directory` open for writing. Takes no lock
 * and changes nothing. A record is evidence, and no lock: a writer that opens in this moment has
 * not written its own yet.
 *
 * Throws what the operating system says of a directory that is not there.
 */
export function storeSurroundings(
  directory: string,
  fileSystem: FileSystem = new NodeFileSystem(),
): StoreSurroundings {
  const path = resolve(directory);
  return {
    runtime,
    checksum: checksumName(),
    fileSystem: fileSystemName(path),
    writer: writerNamedIn(fileSystem, path) ?? null,
  };
}
