import { join } from 'node:path';
import { committedCorpus, FIXTURES } from '../../harness/corpus/corpus.ts';
import { readFixture } from '../../harness/corpus/fixture-files.ts';
import { memoryCopy } from '../../harness/corpus/memory-copy.ts';
import type { MemoryFileSystem } from '../../harness/file-systems/memory-file-system.ts';
import { decodeFrame } from '../../src/engine/format/frame.ts';
import {
  type FileSystem,
  openStore,
  type Store,
  type StoreOptions,
} from '../../src/engine/index.ts';

/** Where the stores of these tests lie, in a file system in memory. */
export const DIRECTORY = '/store';
export const QUARANTINE = join(DIRECTORY, 'quarantine');

export function open(fileSystem: FileSystem, options: StoreOptions = {}): Promise<Store> {
  return openStore(DIRECTORY, { ...options, fileSystem });
}

/** A copy of a fixture of the committed corpus. */
export async function fixture(name: string): Promise<MemoryFileSystem> {
  return memoryCopy(await readFixture(join(committedCorpus(), name)), DIRECTORY);
}

/** Fixtures from which opening cuts something off. */
export const discardingFixtures = FIXTURES.filter(
  ({ expected }) => 'discarded' in expected && expected.discarded.length > 0,
).map(({ name }) => name);

export function withoutSidecars(fileSystem: MemoryFileSystem): MemoryFileSystem {
  for (const name of ['durable-mark', '.lock']) fileSystem.remove(join(DIRECTORY, name));
  return fileSystem;
}

/** The contents of every file below the directory, in hexadecimal, by path. */
export function everyFile(
  fileSystem: MemoryFileSystem,
  directory = DIRECTORY,
): Record<string, string> {
  const files: Record<string, string> = {};
  for (const name of fileSystem.list(directory).sort()) {
    const path = join(directory, name);
    if (fileSystem.stat(path)?.kind === 'file')
      files[path] = fileSystem.readFile(path).toString('hex');
    else Object.assign(files, { [path]: 'directory' }, everyFile(fileSystem, path));
  }
  return files;
}

export function segmentsOf(fileSystem: MemoryFileSystem): Record<string, string> {
  return Object.fromEntries(
    Object.entries(everyFile(fileSystem)).filter(([path]) => path.endsWith('.dwal')),
  );
}

/** The txid of every valid frame that stands anywhere in the bytes. */
export function txidsIn(bytes: Uint8Array): number[] {
  const txids: number[] = [];
  for (let at = 0; at < bytes.length; at++) {
    const decoded = decodeFrame(bytes, at);
    if (decoded.ok) txids.push(decoded.record.txid);
  }
  return txids;
}
