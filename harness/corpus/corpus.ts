import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { WIRE_VERSION } from '../../src/engine/index.ts';
import { shippedFile } from '../package-root.ts';
import { DATAWAL_FIXTURES } from './datawal-fixtures.ts';
import type { Expected, Fixture, FixtureFiles } from './fixture.ts';
import { digests, type FileDigest, writeFiles } from './fixture-files.ts';
import { MARKED_FIXTURES } from './marked-fixtures.ts';
import { SEALED_FIXTURES } from './sealed-fixtures.ts';
import { SUMMED_FIXTURES } from './summed-fixtures.ts';
import { UNDAMAGED_FIXTURES } from './undamaged-fixtures.ts';
import { UNMARKED_FIXTURES } from './unmarked-fixtures.ts';

export const FIXTURES: readonly Fixture[] = [
  ...DATAWAL_FIXTURES,
  ...UNDAMAGED_FIXTURES,
  ...MARKED_FIXTURES,
  ...UNMARKED_FIXTURES,
  ...SEALED_FIXTURES,
  ...SUMMED_FIXTURES,
];

export const MANIFEST_FILE = 'manifest.json';

export interface Manifest {
  /** The fixtures by name, which is also their folder: `datawal/valid_log`. */
  readonly fixtures: Readonly<Record<string, ManifestEntry>>;
}

export interface ManifestEntry {
  /** The version in which the fixture was written, whatever its damaged bytes say. */
  readonly wireVersion: number;
  readonly made: string;
  readonly expected: Expected;
  readonly files: Readonly<Record<string, FileDigest>>;
}

/** All fixtures with their manifest, in memory. */
export interface Corpus {
  readonly manifest: Manifest;
  readonly fixtures: ReadonlyMap<string, FixtureFiles>;
}

/** Makes every fixture anew. The same at every call, byte for byte. */
export async function generateCorpus(): Promise<Corpus> {
  const fixtures = new Map<string, FixtureFiles>();
  const entries: Record<string, ManifestEntry> = {};
  for (const { name, made, expected, build } of FIXTURES) {
    const files = await build();
    fixtures.set(name, files);
    entries[name] = { wireVersion: WIRE_VERSION, made, expected, files: digests(files) };
  }
  return { manifest: { fixtures: entries }, fixtures };
}

/** Writes a corpus and its manifest. Throws when something is already there. */
export async function writeCorpus(
  directory: string,
  { manifest, fixtures }: Corpus,
): Promise<void> {
  await mkdir(directory, { recursive: true });
  if ((await readdir(directory)).length > 0) throw new Error(`${directory} is not empty`);
  for (const [name, files] of fixtures) await writeFiles(join(directory, name), files);
  const lines = Object.entries(manifest.fixtures).map(
    ([name, fixture]) => `${JSON.stringify(name)}: ${JSON.stringify(fixture)}`,
  );
  const text = `{"fixtures": {\n${lines.join(',\n')}\n}}\n`;
  await writeFile(join(directory, MANIFEST_FILE), text);
}

export async function readManifest(directory: string): Promise<Manifest> {
  return JSON.parse(await readFile(join(directory, MANIFEST_FILE), 'utf8')) as Manifest;
}

/** The corpus that is kept with the sources; the compiled harness finds it there as well. */
export function committedCorpus(): string {
  return shippedFile('corpus/fixtures');
}
