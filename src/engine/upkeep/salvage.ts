import { resolve } from 'node:path';
import { isAborted, StoreError, wrapSystemError } from '../host/errors.ts';
import type { FileSystem } from '../host/file-system.ts';
import { NodeFileSystem } from '../host/node-file-system.ts';
import { checkOptions, checkPath, checkSignal } from '../host/options.ts';
import { StoreFiles } from '../host/store-files.ts';
import { FILE_WORK_BYTES, Turns } from '../host/turns.ts';
import { type DurableMark, readMark } from '../lock/durable-mark.ts';
import { OpenLog } from '../log/open-log.ts';
import { judgeContents, readDirectory } from '../recovery/directory-contents.ts';
import type { Contradiction } from '../recovery/directory-evidence.ts';
import { scanLog } from '../recovery/recovery.ts';
import type { Damage } from '../recovery/recovery-verdict.ts';
import { SealInventory } from '../seal/seal-inventory.ts';
import { SealSet } from '../seal/seal-set.ts';
import { type LogSegment, listSegments } from '../segment/segment-list.ts';
import { buildStore } from './build-store.ts';
import { type LostRange, LostRanges } from './lost-ranges.ts';
import { OrderedCopy } from './salvage-copy.ts';
import { type FrameRun, type ScannedSegment, scanForSalvage } from './salvage-scan.ts';

/** Read and copied between two turns of the event loop. */
const BYTES_PER_TURN = 1024 * 1024;

export interface SalvageReport {
  readonly recordsKept: number;
  /** The lost ranges in log order, the first 10,000. */
  readonly lost: readonly LostRange[];
  /** The number of all lost ranges, listed or not. */
  readonly lostCount: number;
  readonly lostBytes: number;
  /**
   * Ids that have no file, ascending, from the lowest that has one, or a seal, to the highest that
   * has one, or a seal, or the mark; the first 10,000 of them.
   */
  readonly missingSegments: readonly number[];
  readonly missingSegmentCount: number;
  /**
   * What seals, mark and segments say of each other that cannot be, the first 10,000: a segment is
   * not the one that was sealed, or lies among others than it was written behind. What is there of
   * it was copied all the same, in the order in which it was written.
   */
  readonly contradictions: readonly Contradiction[];
}

export interface SalvageOptions {
  /** Ends it between two slices: it rejects with the signal's reason, and leaves no target. */
  readonly signal?: AbortSignal;
  /** Default: the real one. */
  readonly fileSystem?: FileSystem;
}

/**
 * Copies every valid frame of a damaged log, with new txids, into a new log, and lists what lay
 * between them. They are copied in the order of their txids, so that the newest value of a key
 * wins, whatever the segments are called by now; of equal frames one is copied. The source is only
 * read. Deletes are copied as well; what a lost range held, a Delete included, is known
 * only by its keys and only where a seal file names them, so a salvaged store may hold older values
 * than the damaged one did. The target is there whole, or not at all.
 *
 * Throws `NOT_FOUND` (nothing of a store in the source), `TARGET_NOT_EMPTY`, `PERMISSION_DENIED` or
 * `IO_FAILED`, or the reason of `signal`.
 */
export async function salvage(
  sourceDirectory: string,
  targetDirectory: string,
  options: SalvageOptions = {},
): Promise<SalvageReport> {
  const source = resolve(checkPath(sourceDirectory, 'the directory to salvage'));
  const target = resolve(checkPath(targetDirectory, 'the target directory'));
  checkOptions(options, 'salvage', ['signal', 'fileSystem']);
  const { signal, fileSystem = new NodeFileSystem() } = options;
  checkSignal(signal);
  signal?.throwIfAborted();
  try {
    const turns = new Turns(BYTES_PER_TURN, () => signal?.throwIfAborted());
    const found = await findSource(fileSystem, source, turns);
    signal?.throwIfAborted();
    const { segments, seals, mark } = found;
    if (segments.length === 0 && seals.last === undefined && mark === undefined)
      throw new StoreError('NOT_FOUND', `there is no store in ${source}`, { path: source });
    return await buildStore(fileSystem, target, (directory) =>
      new Salvage(fileSystem, source, found, turns).into(directory),
    );
  } catch (error) {
    throw isAborted(error, signal) ? error : wrapSystemError(error, 'salvage', source);
  }
}

/** What lies in the source. */
interface Source {
  /** The segments as they lie there, ascending. */
  readonly segments: readonly LogSegment[];
  readonly mark: DurableMark | undefined;
  readonly seals: SealSet;
  readonly contradictions: readonly Contradiction[];
}

/** Only the segments, where the disk does not give what lies beside them: salvage needs none. */
async function findSource(
  fileSystem: FileSystem,
  directory: string,
  turns: Turns,
): Promise<Source> {
  let mark: DurableMark | undefined;
  try {
    mark = readMark(fileSystem, directory).newest?.mark;
    const contents = await readDirectory(new StoreFiles(fileSystem, directory), turns);
    const { seals, listed: segments } = contents;
    const { contradictions } = await judgeContents(contents, turns).catch(() => NOT_JUDGED);
    return { segments, mark, seals, contradictions };
  } catch {
    const segments = listSegments(fileSystem, directory);
    return { segments, mark, seals: SealSet.of([]), contradictions: [] };
  }
}

const NOT_JUDGED = { contradictions: [] };

const LISTED_CONTRADICTIONS = 10_000;

interface SalvagedSegment extends LogSegment {
  readonly isMissing: boolean;
  readonly isAbsorbed: boolean;
  readonly inventory: SealInventory | undefined;
}

class Salvage {
  private readonly fileSystem: FileSystem;
  private readonly directory: string;
  private readonly source: Source;
  private readonly turns: Turns;
  private readonly lost = new LostRanges();
  private readonly contradictions: Contradiction[];
  /** Records that seals know and their segments do not hold: looked for everywhere else. */
  private readonly sought: { readonly segment: SalvagedSegment; readonly txids: Set<number> }[] =
    [];

  constructor(fileSystem: FileSystem, directory: string, source: Source, turns: Turns) {
    this.fileSystem = fileSystem;
    this.directory = directory;
    this.source = source;
    this.turns = turns;
    this.contradictions = [...source.contradictions];
  }

  async into(directory: string): Promise<SalvageReport> {
    const segments = this.segments();
    const scanned = await this.scan(segments);
    const runs = this.countingRuns(segments, scanned);
    this.seek(segments, scanned);
    const recordsKept = await this.copy(runs, directory);
    for (const segment of segments) this.tellLost(segment, scanned.get(segment.segmentId));
    const { lost } = this;
    if (lost.count === 0 && this.contradictions.length === 0)
      this.contradictions.push(...(await this.refused()));
    return {
      recordsKept,
      lost: lost.listed,
      lostCount: lost.count,
      lostBytes: lost.byteLength,
      contradictions: this.contradictions.slice(0, LISTED_CONTRADICTIONS),
      ...missingBetween(this.source),
    };
  }

  /**
   * Where an opening refuses a log of which every record was found, or gives the rest of it up, and
   * why: records are missing in front of that place.
   */
  private async refused(): Promise<Contradiction[]> {
    const { fileSystem, directory, turns } = this;
    try {
      const files = new StoreFiles(fileSystem, directory);
      const contents = await readDirectory(files, turns);
      const { discarded } = await scanLog({
        files,
        segments: contents.segments,
        mark: contents.mark?.mark,
        seals: contents.seals,
        full: false,
        witnessed: contents.witnessed,
        mode: 'prefix',
        acceptAmbiguousTail: false,
        probe: undefined,
        operation: 0,
        target: undefined,
        turns,
      });
      return discarded
        .slice(0, 1)
        .map(({ segmentId, offset, damage, because }) => ({ segmentId, offset, damage, because }));
    } catch (error) {
      const { segmentId, offset = 0, reason } = error as StoreError;
      if (!(error instanceof StoreError) || segmentId === undefined) return [];
      return [
        {
          segmentId,
          offset,
          damage: reason as Damage,
          because: 'an opening refuses the log there',
        },
      ];
    }
  }

  /** Those that have no file, and of which seal or mark tells, are in the list as well. */
  private segments(): SalvagedSegment[] {
    const { fileSystem, directory } = this;
    const { segments, seals, mark } = this.source;
    const present = new Map(segments.map((segment) => [segment.segmentId, segment]));
    const lowestId = segments.find(({ sizeBytes }) => sizeBytes > 0)?.segmentId ?? 0;
    const known = [...seals].map(({ segmentId }) => segmentId);
    if (mark !== undefined && mark.segmentId > lowestId) known.push(mark.segmentId);
    const ids = [...new Set([...present.keys(), ...known])].sort((a, b) => a - b);
    const absorbed = seals.covered(ids);
    return ids.map((segmentId) => {
      const sizeBytes = present.get(segmentId)?.sizeBytes ?? 0;
      const isAbsorbed = absorbed.has(segmentId);
      const seal = isAbsorbed ? undefined : seals.of(segmentId);
      return {
        segmentId,
        sizeBytes,
        isMissing: !present.has(segmentId),
        isAbsorbed,
        inventory: seal && new SealInventory(fileSystem, directory, seal, sizeBytes),
      };
    });
  }

  private async scan(
    segments: readonly SalvagedSegment[],
  ): Promise<ReadonlyMap<number, ScannedSegment>> {
    const { fileSystem, directory, turns } = this;
    const scanned = new Map<number, ScannedSegment>();
    for (const segment of segments) {
      const { inventory } = segment;
      scanned.set(
        segment.segmentId,
        await scanForSalvage(fileSystem, directory, segment, inventory?.seal, inventory, turns),
      );
      await turns.after(FILE_WORK_BYTES);
    }
    return scanned;
  }

  /**
   * Leaves out the runs of segments that a merge has absorbed, where its output is whole: all that
   * counts is there, and a Delete that it has left out must not be missed. Notes what lies out of
   * order.
   */
  private countingRuns(
    segments: readonly SalvagedSegment[],
    scanned: ReadonlyMap<number, ScannedSegment>,
  ): FrameRun[] {
    const outputs = [...this.source.seals].filter(
      ({ segmentId }) => scanned.get(segmentId)?.sealed === 'agrees',
    );
    const left = SealSet.of(outputs).covered(segments.map(({ segmentId }) => segmentId));
    const runs: FrameRun[] = [];
    let lastTxid = 0;
    for (const { segmentId } of segments) {
      if (left.has(segmentId)) continue;
      for (const run of scanned.get(segmentId)?.runs ?? []) {
        if (run.firstTxid <= lastTxid)
          this.contradictions.push({
            segmentId,
            offset: run.startOffset,
            damage: 'txid-not-increasing',
            because: 'records in front of it were written later, or are the same',
          });
        lastTxid = Math.max(lastTxid, run.lastTxid);
        runs.push(run);
      }
    }
    return runs;
  }

  /** What the seals of segments know that are not the ones that were sealed, or are not there. */
  private seek(
    segments: readonly SalvagedSegment[],
    scanned: ReadonlyMap<number, ScannedSegment>,
  ): void {
    for (const segment of segments) {
      const { segmentId, isMissing, inventory } = segment;
      if (inventory === undefined) continue;
      const { sealed } = scanned.get(segmentId) as ScannedSegment;
      if (sealed === 'contradicts')
        this.contradictions.push({
          segmentId,
          offset: 0,
          damage: 'contradicts-seal',
          because: 'it is whole, and not what its seal file says',
        });
      const isReplaced = sealed !== 'agrees' && !this.isBelieved(segment, scanned);
      const txids = isReplaced || isMissing ? inventory.txids() : undefined;
      if (txids !== undefined && txids.size > 0) this.sought.push({ segment, txids });
    }
  }

  private async copy(runs: readonly FrameRun[], directory: string): Promise<number> {
    const { fileSystem, sought } = this;
    const log = await OpenLog.open(directory, { fileSystem });
    const onCopied = (txid: number) => {
      for (const { txids } of sought) txids.delete(txid);
    };
    try {
      const copy = new OrderedCopy(fileSystem, this.directory, log, this.turns, onCopied);
      await copy.copy(runs);
      return copy.recordsKept;
    } finally {
      await log.close();
    }
  }

  private isBelieved(
    { segmentId, sizeBytes, inventory }: SalvagedSegment,
    scanned: ReadonlyMap<number, ScannedSegment>,
  ): boolean {
    const { ranges, sealed } = scanned.get(segmentId) as ScannedSegment;
    const isDamaged = ranges.count > 0 || sizeBytes < (inventory?.seal.byteLength ?? 0);
    if (inventory === undefined || sealed !== 'unknown' || !isDamaged || !ranges.isListed)
      return false;
    return inventory.isBelieved(ranges.listed);
  }

  private tellLost(segment: SalvagedSegment, scanned: ScannedSegment | undefined): void {
    const { segmentId, sizeBytes, isMissing, inventory } = segment;
    if (scanned === undefined) return;
    const { ranges } = scanned;
    const { mark } = this.source;
    const sought = this.sought.find((one) => one.segment === segment);
    const isElsewhere =
      sought !== undefined && sought.txids.size < (inventory?.seal.hintCount ?? 0);
    const isBelieved = this.isBelieved(segment, new Map([[segmentId, scanned]])) && !isElsewhere;
    const markedEnd = mark?.segmentId === segmentId ? mark.offset : 0;
    const knownEnd = Math.max(isBelieved ? (inventory?.seal.byteLength ?? 0) : 0, markedEnd);
    if (knownEnd > sizeBytes)
      ranges.add(
        sizeBytes,
        knownEnd - sizeBytes,
        isMissing ? 'missing-segment' : 'segment-too-short',
      );
    this.lost.add(ranges, isBelieved ? inventory : undefined);
    if (sought === undefined || inventory === undefined || isBelieved || sought.txids.size === 0)
      return;
    const damage = isMissing ? 'missing-segment' : 'contradicts-seal';
    this.lost.addUnfound(segmentId, damage, inventory, sought.txids);
  }
}

/** A directory may hold segments 1 and 99,999,999: what is between is counted, and not listed. */
const MOST_MISSING_LISTED = 10_000;

function missingBetween({
  segments,
  seals,
  mark,
}: Source): Pick<SalvageReport, 'missingSegments' | 'missingSegmentCount'> {
  const missingSegments: number[] = [];
  let missingSegmentCount = 0;
  const known = [...seals].map(({ segmentId }) => segmentId);
  const ids = [...segments.map(({ segmentId }) => segmentId), ...known];
  if (mark !== undefined) ids.push(mark.segmentId);
  const highestId = ids.reduce((highest, id) => Math.max(highest, id), 0);
  // What a merge has absorbed may be gone in front of the others.
  const covered = seals.covered(known.filter((id) => id < (segments[0]?.segmentId ?? 0)));
  let next = Math.min(
    segments[0]?.segmentId ?? highestId,
    ...known.filter((id) => !covered.has(id)).slice(0, 1),
  );
  const behind = { segmentId: highestId + 1 };
  for (const { segmentId } of [...segments, behind]) {
    missingSegmentCount += segmentId - next;
    for (; next < segmentId && missingSegments.length < MOST_MISSING_LISTED; next++)
      missingSegments.push(next);
    next = segmentId + 1;
  }
  return { missingSegments, missingSegmentCount };
}
