import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { FixtureFiles } from './fixture.ts';

export async function writeFiles(directory: string, files: FixtureFiles): Promise<void> {
  await mkdir(directory, { recursive: true });
  for (const [name, bytes] of files) await writeFile(join(directory, name), bytes);
}

/** The files of one fixture's folder, or of a store that was opened in a copy of it. */
export async function readFixture(directory: string): Promise<FixtureFiles> {
  const files = new Map<string, Uint8Array>();
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    if (entry.isFile()) files.set(entry.name, await readFile(join(directory, entry.name)));
  }
  return files;
}

export interface FileDigest {
  /** Hexadecimal. */
  readonly sha256: string;
  readonly sizeBytes: number;
}

/** Sorted by name, so that two of them are equal as text. */
export function digests(files: FixtureFiles): Record<string, FileDigest> {
  const sorted = [...files].sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(
    sorted.map(([name, bytes]) => [
      name,
      { sha256: createHash('sha256').update(bytes).digest('hex'), sizeBytes: bytes.length },
    ]),
  );
}
