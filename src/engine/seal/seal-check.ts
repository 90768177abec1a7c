import { FIRST_SEGMENT_ID } from '../format/format.ts';
import { segmentPath } from '../format/segment-name.ts';
import type { FileSystem } from '../host/file-system.ts';
import type { OpenFile } from '../host/open-file.ts';
import type { StoreFiles } from '../host/store-files.ts';
import type { Turns } from '../host/turns.ts';
import {
  digestOf,
  endsDigestOf,
  MERGE_SUFFIX,
  NO_IDENTITY,
  readSealHeader,
  SEAL_SUFFIX,
  type Seal,
} from './seal-file.ts';
import type { SealSet } from './seal-set.ts';

/**
 * What a valid seal and its segment, `sizeBytes` long, disagree about. Looks at the length and both
 * ends, or, where `full` asks for it or datawal has appended to the segment, at everything that the
 * seal covers.
 */
export async function sealContradiction(
  files: StoreFiles,
  sizeBytes: number,
  seal: Seal,
  full: boolean,
  turns: Turns,
): Promise<'ends-before-seal' | 'contradicts-seal' | undefined> {
  const { segmentId, byteLength, digest, endsDigest } = seal;
  if (sizeBytes < byteLength) return 'ends-before-seal';
  return files.use(segmentPath(files.directory, segmentId), 'read', async (file) => {
    const holds =
      full || sizeBytes > byteLength
        ? (await digestOf(file, byteLength, turns))?.equals(digest)
        : endsDigestOf(file, byteLength) === endsDigest;
    return holds ? undefined : 'contradicts-seal';
  });
}

/** Is the segment before this one there, and the one that this one was sealed after? */
export function followsPredecessor(
  { firstId, predecessorIdentity }: Seal,
  seals: Pick<SealSet, 'of'>,
  lowestId: number,
): boolean {
  if (firstId === FIRST_SEGMENT_ID) return true;
  if (firstId <= lowestId) return false;
  const before = seals.of(firstId - 1);
  if (before === undefined || predecessorIdentity.equals(NO_IDENTITY)) return true;
  return before.identity.equals(predecessorIdentity);
}

/**
 * The seal of an open segment, for those who read without the lock: a merge may be between two of
 * its steps, and the seal still under the merge's name. `unknown` when there is a seal that is of
 * something else; that passes when the merge has gone on.
 */
export function sealOfOpened(
  fileSystem: FileSystem,
  directory: string,
  segmentId: number,
  file: OpenFile,
): Seal | 'unknown' | undefined {
  const { sizeBytes } = file.stat();
  let found = false;
  // In the order in which one becomes the other.
  for (const suffix of [MERGE_SUFFIX, SEAL_SUFFIX]) {
    const seal = readSealHeader(fileSystem, directory, segmentId, suffix);
    if (seal === undefined) continue;
    found = true;
    if (sizeBytes < seal.byteLength) continue;
    if (endsDigestOf(file, seal.byteLength) === seal.endsDigest) return seal;
  }
  return found ? 'unknown' : undefined;
}
