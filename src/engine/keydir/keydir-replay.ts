import type { HashSeed } from '../format/key-hash.ts';
import { HintBlock, type HintRun } from '../seal/hint-block.ts';
import type { FrameCursor } from '../segment/frame-cursor.ts';

const TWO_TO_32 = 2 ** 32;

/** What a replay fills. */
export interface ReplayTarget {
  readonly seed: HashSeed;
  applyRun(file: number, base: number, run: HintRun, times: number): void;
  trim(): void;
}

/**
 * More than so many times what is there is never made room for: what comes later may be overwrites.
 */
const MOST_TIMES = 4;
/**
 * Spare room over what the part that was read lets expect, for shards that get more than others.
 */
const SPARE = 1.05;

/**
 * Fills a keydir with what an opening finds in the log. Records are not applied as they come but as
 * hints, gathered in blocks and ordered by shard, as a seal has them: a million keys do not fit in
 * a processor's cache, and one by one each would wait for memory.
 */
export class KeydirReplay {
  private readonly target: ReplayTarget;
  private readonly totalBytes: number;
  private readonly block: HintBlock;
  private blockFile = 0;
  private blockBase = 0;
  private logEnd = 0;

  /** `totalBytes` of log are expected. */
  constructor(target: ReplayTarget, totalBytes: number) {
    this.target = target;
    this.totalBytes = totalBytes;
    this.block = new HintBlock(target.seed, totalBytes);
  }

  /** The next record of a file; the log up to its end is `logEnd` bytes long. */
  frame(file: number, frame: FrameCursor, logEnd: number): void {
    const { block } = this;
    const base = frame.offset - (frame.offset % TWO_TO_32);
    if (file !== this.blockFile || base !== this.blockBase || block.isFull) {
      this.flush();
      this.blockFile = file;
      this.blockBase = base;
    }
    this.logEnd = logEnd;
    block.add(frame, frame.offset - base);
  }

  /** The next hints, from a seal that was read as far as the log is `logEnd` bytes long. */
  hints(file: number, run: HintRun, logEnd: number): void {
    this.flush();
    this.logEnd = logEnd;
    this.target.applyRun(file, 0, run, this.times());
  }

  /** Ends the replay, behind the last record. */
  finish(): void {
    this.flush();
    this.target.trim();
  }

  private flush(): void {
    const { block, target } = this;
    if (block.count === 0) return;
    const times = this.times();
    for (const run of block.runs()) target.applyRun(this.blockFile, this.blockBase, run, times);
    block.clear();
  }

  private times(): number {
    return Math.min(MOST_TIMES, Math.max(1, (SPARE * this.totalBytes) / this.logEnd));
  }
}
