import { join } from 'node:path';
import { MemoryFileSystem } from './memory-file-system.ts';

/** The files and directories that the next opening finds. */
export interface DiskImage {
  readonly files: ReadonlyMap<string, Buffer>;
  readonly directories: ReadonlySet<string>;
}

export const EMPTY_DISK: DiskImage = { files: new Map(), directories: new Set(['/']) };

/** What a file system in memory holds now. */
export function imageOf(fileSystem: MemoryFileSystem): DiskImage {
  const files = new Map<string, Buffer>();
  const directories = new Set<string>();
  const visit = (directory: string) => {
    directories.add(directory);
    for (const name of fileSystem.list(directory)) {
      const path = join(directory, name);
      if (fileSystem.stat(path)?.kind === 'directory') visit(path);
      else files.set(path, fileSystem.readFile(path));
    }
  };
  visit('/');
  return { files, directories };
}

export function fileSystemOf(image: DiskImage): MemoryFileSystem {
  const fileSystem = new MemoryFileSystem();
  for (const path of image.directories) fileSystem.makeDirectory(path);
  for (const [path, bytes] of image.files) fileSystem.shareFile(path, bytes);
  return fileSystem;
}
