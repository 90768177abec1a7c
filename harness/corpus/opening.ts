import { isDeepStrictEqual } from 'node:util';
import {
  openReader,
  openStore,
  type Store,
  StoreError,
  type StoreReader,
} from '../../src/engine/index.ts';
import type { Expected, FixtureFiles, Opens, Refuses } from './fixture.ts';
import { digests, type FileDigest, readFixture, writeFiles } from './fixture-files.ts';
import { withTemporaryDirectory } from './temporary-directory.ts';

/**
 * Opens a copy of a fixture for reading, then for writing, and says in what either is not as
 * expected.
 */
export function checkOpening(files: FixtureFiles, expected: Expected): Promise<string[]> {
  return withTemporaryDirectory(async (copy) => {
    const problems: string[] = [];
    const compare = (what: string, found: unknown, wanted: unknown) => {
      if (isDeepStrictEqual(found, wanted)) return;
      problems.push(`${what}: found ${JSON.stringify(found)}, expected ${JSON.stringify(wanted)}`);
    };
    await writeFiles(copy, files);
    compare(
      'openReader',
      await read(copy),
      'livePairs' in expected ? expected.livePairs : expected,
    );
    compare('files after openReader', digests(await readFixture(copy)), digests(files));
    compare('openStore', await open(copy), expected);
    if (!('livePairs' in expected)) {
      compare('segments after a refusal', await segmentDigests(copy), segmentsOf(digests(files)));
    }
    return problems;
  });
}

async function open(directory: string): Promise<Opens | ReturnType<typeof refusal>> {
  let store: Store;
  try {
    store = await openStore(directory);
  } catch (error) {
    return refusal(error);
  }
  try {
    const { outcome, recordsKept, discarded } = store.recoveryReport;
    return {
      outcome: outcome as Opens['outcome'],
      recordsKept,
      discarded: discarded.map(({ segmentId, offset, byteLength, damage }) => ({
        segmentId,
        offset,
        byteLength,
        damage,
      })),
      livePairs: livePairs(store),
    };
  } finally {
    await store.close();
  }
}

async function read(directory: string): Promise<Opens['livePairs'] | ReturnType<typeof refusal>> {
  let reader: StoreReader;
  try {
    reader = await openReader(directory);
  } catch (error) {
    return refusal(error);
  }
  try {
    return livePairs(reader);
  } finally {
    await reader.close();
  }
}

/** An error that is no `StoreError` matches no fixture, and shows as the outcome that it is. */
function refusal(error: unknown): Refuses | { readonly outcome: string } {
  if (!(error instanceof StoreError)) return { outcome: String(error) };
  const { code, segmentId, offset, reason } = error;
  return { outcome: code, segmentId, offset, damage: reason } as Refuses;
}

function livePairs(store: Store | StoreReader): Record<string, string> {
  return Object.fromEntries(
    [...store.entries()].map(([key, value]) => [
      Buffer.from(key).toString(),
      Buffer.from(value).toString(),
    ]),
  );
}

async function segmentDigests(directory: string): Promise<Record<string, FileDigest>> {
  return segmentsOf(digests(await readFixture(directory)));
}

/** Sidecars may change when an opening is refused; segments may not. */
function segmentsOf(files: Record<string, FileDigest>): Record<string, FileDigest> {
  return Object.fromEntries(Object.entries(files).filter(([name]) => name.endsWith('.dwal')));
}
