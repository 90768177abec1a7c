import { join } from 'node:path';
import { MemoryFileSystem } from '../file-systems/memory-file-system.ts';
import type { FixtureFiles } from './fixture.ts';

/** A fixture as a directory of a file system in memory. */
export function memoryCopy(files: FixtureFiles, directory: string): MemoryFileSystem {
  const fileSystem = new MemoryFileSystem();
  fileSystem.makeDirectory(directory);
  for (const [name, bytes] of files) fileSystem.writeFile(join(directory, name), bytes);
  return fileSystem;
}
