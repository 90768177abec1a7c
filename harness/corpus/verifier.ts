import { readdir } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import {
  committedCorpus,
  generateCorpus,
  MANIFEST_FILE,
  type Manifest,
  readManifest,
} from './corpus.ts';
import { digests, type FileDigest, readFixture } from './fixture-files.ts';
import { checkOpening } from './opening.ts';

/**
 * Holds the corpus in `directory` to the committed manifest and to a fresh generation, byte for
 * byte, and opens a copy of every fixture. Returns a sentence for each thing that is wrong.
 */
export async function verifyCorpus(directory: string): Promise<string[]> {
  const manifest = await readManifest(committedCorpus());
  const fresh = (await generateCorpus()).manifest;
  const problems = [
    ...(await strayFiles(directory, manifest)),
    ...differences(manifest, fresh, 'a fresh generation'),
    ...differences(manifest, await readManifest(directory), `the manifest of ${directory}`),
  ];
  for (const [name, { files, expected }] of Object.entries(manifest.fixtures)) {
    const present = await readFixture(join(directory, name)).catch(
      () => new Map<string, Uint8Array>(),
    );
    problems.push(...fileDifferences(name, files, digests(present)));
    const opening = await checkOpening(present, expected);
    problems.push(...opening.map((problem) => `${name}: ${problem}`));
  }
  return problems;
}

/** Files that no manifest entry names. */
async function strayFiles(directory: string, { fixtures }: Manifest): Promise<string[]> {
  const problems: string[] = [];
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    if (entry.isDirectory()) continue;
    const path = relative(directory, join(entry.parentPath, entry.name));
    const known =
      path === MANIFEST_FILE || fixtures[dirname(path)]?.files[entry.name] !== undefined;
    if (!known) problems.push(`${path} is not in the manifest`);
  }
  return problems;
}

function differences(manifest: Manifest, other: Manifest, otherName: string): string[] {
  const names = new Set([...Object.keys(manifest.fixtures), ...Object.keys(other.fixtures)]);
  return [...names]
    .filter((name) => !isDeepStrictEqual(manifest.fixtures[name], other.fixtures[name]))
    .map((name) => `${name} is in ${otherName} not as in the manifest`);
}

function fileDifferences(
  name: string,
  wanted: Readonly<Record<string, FileDigest>>,
  found: Readonly<Record<string, FileDigest>>,
): string[] {
  return Object.entries(wanted)
    .filter(([file, digest]) => !isDeepStrictEqual(found[file], digest))
    .map(
      ([file]) =>
        `${name}/${file} ${found[file] === undefined ? 'is missing' : 'is not as in the manifest'}`,
    );
}
