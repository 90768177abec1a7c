import { segmentName, segmentPath } from '../format/segment-name.ts';
import type { StoreFiles } from '../host/store-files.ts';
import type { Turns } from '../host/turns.ts';
import { type MarkOnDisk, readMark } from '../lock/durable-mark.ts';
import { lockCarriesNonce } from '../lock/writer-lock.ts';
import { sealContradiction } from '../seal/seal-check.ts';
import { digestOf, NO_IDENTITY } from '../seal/seal-file.ts';
import { SealSet } from '../seal/seal-set.ts';
import { findUnfinishedWork, type UnfinishedWork } from '../seal/unfinished-work.ts';
import { type LogSegment, listSegments } from '../segment/segment-list.ts';
import { type Contradiction, type Judgement, judgeDirectory } from './directory-evidence.ts';
import { refusal } from './recovery-refusal.ts';

/**
 * What the directory of a store holds: everybody who looks at one (openings, readers, check,
 * report, salvage) takes it from here. They differ in what they do about it, never in what they
 * see. Nothing is changed.
 */
export interface DirectoryContents {
  readonly files: StoreFiles;
  readonly mark: MarkOnDisk | undefined;
  readonly damagedSlots: number;
  /** Does `.lock` carry the mark's nonce: did no other program come after it? */
  readonly witnessed: boolean;
  /** The segments as they lie there, ascending. */
  readonly listed: readonly LogSegment[];
  /** The segments of which the log consists: what a merge has absorbed is empty. */
  readonly segments: readonly LogSegment[];
  /** The valid ones of this store, each of a segment of the log. */
  readonly seals: SealSet;
  readonly unfinished: UnfinishedWork;
  /** Ids whose names are taken by what is no plain file. */
  readonly strangers: readonly number[];
  /** Sentences on seals that count for nothing, and on what only has the name of a segment. */
  readonly notes: readonly string[];
}

/** `known` is what was read already, by somebody who had to know it first. */
export async function readDirectory(
  files: StoreFiles,
  turns: Turns,
  known?: ReturnType<typeof readMark> & { readonly witnessed: boolean },
): Promise<DirectoryContents> {
  // The mark and the seals before the listing: they must not prove more than it shows.
  const { fileSystem, directory } = files;
  const { newest, damagedSlots } = known ?? readMark(fileSystem, directory);
  const found = await SealSet.read(files, newest?.mark.storeId, turns);
  const strangers: number[] = [];
  const strange: string[] = [];
  const listed = listSegments(fileSystem, directory, (segmentId, kind) => {
    strangers.push(segmentId);
    strange.push(
      `${segmentName(segmentId)} is ${KINDS[kind]}, and no segment; move it away before the log gets there`,
    );
  });
  const unfinished = await findUnfinishedWork(files, found, listed, turns);
  const nonce = newest?.mark.sessionNonce;
  return {
    files,
    mark: newest,
    damagedSlots,
    witnessed:
      known?.witnessed ?? (nonce !== undefined && lockCarriesNonce(fileSystem, directory, nonce)),
    listed,
    segments: unfinished.segments,
    seals: unfinished.seals,
    unfinished,
    strangers,
    notes: [...found.notes, ...strange],
  };
}

/** Holds the seals, the mark and the listing against each other; see directory-evidence.ts. */
export async function judgeContents(contents: DirectoryContents, turns: Turns): Promise<Judgement> {
  const { segments, seals } = contents;
  const evidence = { segments, seals, mark: contents.mark?.mark };
  const digests = new Map<number, Buffer>();
  for (;;) {
    const judged = judgeDirectory(evidence, digests);
    if (!('digestsWanted' in judged)) return judged;
    for (const segmentId of judged.digestsWanted)
      digests.set(segmentId, await segmentDigest(contents, segmentId, turns));
  }
}

/** Throws `STORE_CORRUPT` where what is there contradicts itself. */
export async function requireAgreement(
  contents: DirectoryContents,
  turns: Turns,
): Promise<Judgement['merged']> {
  const { contradictions, merged } = await judgeContents(contents, turns);
  const [first] = contradictions;
  if (first === undefined) return merged;
  const { segmentId, offset, damage, because } =
    (await sealedContradiction(contents, turns)) ?? first;
  throw refusal('corrupt', contents.files.directory, segmentId, offset, damage, because);
}

/** The first segment that its own seal contradicts: it says best where something is wrong. */
async function sealedContradiction(
  { files, listed, seals }: DirectoryContents,
  turns: Turns,
): Promise<Contradiction | undefined> {
  for (const { segmentId, sizeBytes } of listed) {
    const seal = seals.of(segmentId);
    if (seal === undefined) continue;
    const damage = await sealContradiction(files, sizeBytes, seal, false, turns);
    if (damage === undefined) continue;
    return {
      segmentId,
      offset: damage === 'ends-before-seal' ? sizeBytes : 0,
      damage,
      because: 'the durable mark or a seal proves that these bytes were on stable storage',
    };
  }
  return undefined;
}

async function segmentDigest(
  { files, listed }: DirectoryContents,
  segmentId: number,
  turns: Turns,
): Promise<Buffer> {
  const sizeBytes = listed.find((one) => one.segmentId === segmentId)?.sizeBytes ?? 0;
  return files.use(segmentPath(files.directory, segmentId), 'read', async (file) => {
    // One that became shorter meanwhile is another one by now.
    return (await digestOf(file, sizeBytes, turns)) ?? NO_IDENTITY;
  });
}

const KINDS = { directory: 'a directory', other: 'no plain file' } as const;
