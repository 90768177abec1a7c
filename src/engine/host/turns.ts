import { setImmediate as nextTurn } from 'node:timers/promises';

/**
 * What it costs to look at one more file, in bytes of work: many small ones are a long walk, too.
 */
export const FILE_WORK_BYTES = 64 * 1024;

/** What it costs to get one pair, which may lie in a file of its own. */
export const PAIR_WORK_BYTES = 8 * 1024;

/** The slice of an opening: some ten milliseconds of small records, in which nothing else runs. */
export const OPENING_SLICE_BYTES = 2 * 1024 * 1024;

/**
 * Long work in slices. Between two of them the event loop runs, and `check` is asked whether
 * anybody still wants the rest: it throws where nobody does. What counts is the work that was done,
 * whatever the sizes of its pieces; one object goes with all of it.
 */
export class Turns {
  private readonly sliceBytes: number;
  private readonly check: () => void;
  private doneBytes = 0;

  constructor(sliceBytes: number, check: () => void = () => {}) {
    this.sliceBytes = sliceBytes;
    this.check = check;
  }

  /** Bytes of work until the next turn is due. */
  get leftBytes(): number {
    return Math.max(this.sliceBytes - this.doneBytes, 0);
  }

  /** Counts work; true where it is time to await `next`. Costs no promise. */
  isDue(workBytes: number): boolean {
    this.doneBytes += workBytes;
    return this.doneBytes >= this.sliceBytes;
  }

  async next(): Promise<void> {
    this.doneBytes = 0;
    await nextTurn();
    this.check();
  }

  /** Counts work, and takes a turn where one is due. For pieces that are not small. */
  async after(workBytes: number): Promise<void> {
    if (this.isDue(workBytes)) await this.next();
  }
}
