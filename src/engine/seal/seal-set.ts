import type { StoreFiles } from '../host/store-files.ts';
import type { Turns } from '../host/turns.ts';
import {
  MERGE_SUFFIX,
  NO_IDENTITY,
  parseSealName,
  readSeal,
  SEAL_SUFFIX,
  type Seal,
  sealPath,
} from './seal-file.ts';

/** The valid seal files of a directory, all of one store. */
export class SealSet {
  /** Lines for the report: seals that are there and count for nothing. */
  readonly notes: readonly string[];
  private readonly seals: ReadonlyMap<number, Seal>;
  private readonly byFirstId: ReadonlyMap<number, Seal>;
  /** Those that lie under the name that a merge gave them first. */
  private readonly unnamed: readonly Seal[];

  private constructor(
    seals: readonly Seal[],
    notes: readonly string[],
    unnamed: readonly Seal[] = [],
  ) {
    this.notes = notes;
    this.unnamed = unnamed;
    this.seals = new Map(seals.map((seal) => [seal.segmentId, seal]));
    this.byFirstId = new Map(seals.map((seal) => [seal.firstId, seal]));
  }

  /** Reads every seal to its last byte. Without a mark the lowest one says which store this is. */
  static async read(
    files: StoreFiles,
    storeId: Buffer | undefined,
    turns: Turns,
  ): Promise<SealSet> {
    const seals: Seal[] = [];
    const notes: string[] = [];
    let owner = storeId;
    for (const [segmentId, name] of sealNames(files.fileSystem.list(files.directory))) {
      const seal = await readSeal(files, segmentId, turns);
      if (seal === undefined) continue;
      if (seal === 'damaged') {
        notes.push(`${name} was damaged and ignored`);
        continue;
      }
      owner ??= seal.storeId;
      if (seal.segmentId !== segmentId)
        notes.push(`${name} is of segment ${seal.segmentId} and was ignored`);
      else if (!seal.storeId.equals(owner))
        notes.push(`${name} is of another store and was ignored`);
      else seals.push(seal);
    }
    return new SealSet(seals, notes);
  }

  /** Valid ones of one store, ascending. */
  static of(seals: readonly Seal[]): SealSet {
    return new SealSet(seals, []);
  }

  /**
   * The same set, with the seals of merges in the place of those that they are about to replace.
   */
  withMerged(merged: readonly Seal[]): SealSet {
    return new SealSet(this.allWith(merged), this.notes, merged);
  }

  /** The same set, with these in the place of those of the same segments. */
  replacing(seals: readonly Seal[]): SealSet {
    return new SealSet(this.allWith(seals), this.notes, this.unnamed);
  }

  private allWith(seals: readonly Seal[]): Seal[] {
    const ids = new Set(seals.map(({ segmentId }) => segmentId));
    const others = [...this.seals.values()].filter(({ segmentId }) => !ids.has(segmentId));
    return [...others, ...seals].sort((a, b) => a.segmentId - b.segmentId);
  }

  pathOf(directory: string, seal: Seal): string {
    return sealPath(
      directory,
      seal.segmentId,
      this.unnamed.includes(seal) ? MERGE_SUFFIX : SEAL_SUFFIX,
    );
  }

  /** Those of these ids, ascending, whose records a merge has put into a later segment. */
  covered(segmentIds: readonly number[]): ReadonlySet<number> {
    const covered = new Set<number>();
    const descending = [...this.seals.values()].reverse();
    let next = 0;
    let lowestCovered = Number.POSITIVE_INFINITY;
    for (const id of [...segmentIds].reverse()) {
      for (; next < descending.length; next++) {
        const { segmentId, firstId } = descending[next] as Seal;
        if (segmentId <= id) break;
        lowestCovered = Math.min(lowestCovered, firstId);
      }
      if (id >= lowestCovered) covered.add(id);
    }
    return covered;
  }

  without(segmentIds: readonly number[]): SealSet {
    const gone = new Set(segmentIds);
    return new SealSet(
      [...this.seals.values()].filter(({ segmentId }) => !gone.has(segmentId)),
      this.notes,
      this.unnamed,
    );
  }

  of(segmentId: number): Seal | undefined {
    return this.seals.get(segmentId);
  }

  /** The seal of the highest id. */
  get last(): Seal | undefined {
    return [...this.seals.values()].at(-1);
  }

  get storeId(): Buffer | undefined {
    return this.last?.storeId;
  }

  /** What the seal of the next segment says about this one. */
  identityBySuccessor(segmentId: number): Buffer | undefined {
    const identity = this.byFirstId.get(segmentId + 1)?.predecessorIdentity;
    return identity === undefined || identity.equals(NO_IDENTITY) ? undefined : identity;
  }

  [Symbol.iterator](): IterableIterator<Seal> {
    return this.seals.values();
  }
}

/** Ascending. */
function sealNames(names: readonly string[]): [number, string][] {
  return names
    .flatMap((name): [number, string][] => {
      const segmentId = parseSealName(name, SEAL_SUFFIX);
      return segmentId === undefined ? [] : [[segmentId, name]];
    })
    .sort(([a], [b]) => a - b);
}
