import { RecordType } from '../format/format.ts';
import { type ByteRange, rangeAt } from '../host/byte-range.ts';
import { type FileSystem, withFile } from '../host/file-system.ts';
import { OpenFile } from '../host/open-file.ts';
import { type Seal, sealPath } from './seal-file.ts';
import { HintReader } from './seal-hints.ts';

/** A record of which the seal file tells and the segment no longer. */
export interface SealedRecord {
  readonly key: Uint8Array;
  readonly type: typeof RecordType.Put | typeof RecordType.Delete;
}

/**
 * What a seal file says of a range of its segment. Raw records have no key, and it says nothing of
 * them.
 */
export interface SealedRecords {
  readonly recordCount: number;
  /**
   * The records in log order; 1,000 at most, and fewer where the list would take more than some
   * megabytes.
   */
  readonly records: readonly SealedRecord[];
}

const LISTED_RECORDS = 1_000;
/** The memory of an object, its array and its buffer, beside the bytes of the key. */
const RECORD_BYTES = 128;

/** Bounds the memory of the keys that all inventories name together. */
export class KeyListBudget {
  private leftBytes = 4 * 1024 * 1024;

  take(keyBytes: number): boolean {
    const neededBytes = keyBytes + RECORD_BYTES;
    if (neededBytes > this.leftBytes) return false;
    this.leftBytes -= neededBytes;
    return true;
  }
}

/**
 * The records that a segment held by its seal, to tell which of them a damaged segment has lost. A
 * seal may belong to other bytes: a merge was killed, or a file was copied over another. It is
 * believed when every record that is left stands where the seal says, and the seal knows no other
 * outside of the damage. One sum over all records tells both.
 */
export class SealInventory {
  readonly seal: Seal;
  private readonly fileSystem: FileSystem;
  private readonly directory: string;
  private readonly sizeBytes: number;
  private keptSum = 0;

  /** `sizeBytes` are left of the segment. */
  constructor(fileSystem: FileSystem, directory: string, seal: Seal, sizeBytes: number) {
    this.fileSystem = fileSystem;
    this.directory = directory;
    this.seal = seal;
    this.sizeBytes = sizeBytes;
  }

  /** A valid frame that was found. What lies behind the seal's end datawal has appended. */
  sawFrame(offset: number, type: RecordType, txid: number): void {
    if (type === RecordType.Raw || offset >= this.seal.byteLength) return;
    this.keptSum = (this.keptSum + placeHash(offset, txid)) >>> 0;
  }

  /**
   * Once every frame was seen: is the seal of this segment, of which these ranges, ascending, are
   * damaged?
   */
  isBelieved(damaged: readonly ByteRange[]): boolean {
    let sum = 0;
    const isWhole = this.eachHint(({ offset, txid }) => {
      if (offset < this.sizeBytes && rangeAt(damaged, offset) === -1)
        sum = (sum + placeHash(offset, txid)) >>> 0;
    });
    return isWhole && sum === this.keptSum;
  }

  /**
   * The txids of every record that the seal knows, in no order; undefined when it cannot be read.
   */
  txids(): Set<number> | undefined {
    const txids = new Set<number>();
    return this.eachHint(({ txid }) => txids.add(txid)) ? txids : undefined;
  }

  /** Those of the seal's records that have one of these txids, and the bytes that they take. */
  recordsWith(
    txids: ReadonlySet<number>,
    budget: KeyListBudget,
  ): { readonly byteLength: number; readonly bySeal: SealedRecords } {
    const records: (SealedRecord & { offset: number })[] = [];
    let recordCount = 0;
    let sumBytes = 0;
    this.eachHint(({ offset, txid, byteLength, bytes, keyAt, keyLength, isDelete }) => {
      if (!txids.has(txid)) return;
      sumBytes += byteLength;
      if (recordCount++ >= LISTED_RECORDS || !budget.take(keyLength)) return;
      const key = Buffer.from(bytes.subarray(keyAt, keyAt + keyLength));
      records.push({ key, type: isDelete ? RecordType.Delete : RecordType.Put, offset });
    });
    records.sort((a, b) => a.offset - b.offset);
    const listed = records.map(({ key, type }) => ({ key, type }));
    return { byteLength: sumBytes, bySeal: { recordCount, records: listed } };
  }

  /** What began in each of these ranges, ascending; for one that is believed. */
  recordsOf(
    ranges: readonly ByteRange[],
    budget: KeyListBudget,
  ): readonly SealedRecords[] | undefined {
    const found = ranges.map(() => ({
      recordCount: 0,
      records: [] as (SealedRecord & { offset: number })[],
    }));
    const isWhole = this.eachHint(({ offset, bytes, keyAt, keyLength, isDelete }) => {
      const range = found[rangeAt(ranges, offset)];
      if (range === undefined || range.recordCount++ >= LISTED_RECORDS || !budget.take(keyLength))
        return;
      const key = Buffer.from(bytes.subarray(keyAt, keyAt + keyLength));
      range.records.push({ key, type: isDelete ? RecordType.Delete : RecordType.Put, offset });
    });
    if (!isWhole) return undefined;
    return found.map(({ recordCount, records }) => ({
      recordCount,
      // Hints lie in the order of the keydir's shards.
      records: records.sort((a, b) => a.offset - b.offset).map(({ key, type }) => ({ key, type })),
    }));
  }

  /**
   * False when the file cannot be read to its end. Salvage goes on without: the disk may be
   * failing.
   */
  private eachHint(visit: (hint: HintReader) => void): boolean {
    const { fileSystem, directory, seal } = this;
    try {
      const isThere = withFile(fileSystem, sealPath(directory, seal.segmentId), (descriptor) => {
        const hint = new HintReader(
          new OpenFile(fileSystem, descriptor),
          seal,
          HintReader.chunkFor([seal]),
        );
        while (hint.next()) visit(hint);
        return true;
      });
      return isThere === true;
    } catch {
      return false;
    }
  }
}

/** Well mixed, so that sums of two sets of places are equal when the sets are. */
function placeHash(offset: number, txid: number): number {
  let hash = Math.imul(offset ^ Math.imul(txid, 0x9e3779b1), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
