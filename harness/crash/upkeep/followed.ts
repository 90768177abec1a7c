import { setTimeout as delay } from 'node:timers/promises';
import { type ScannedRecord, StoreError, type StoreReader } from '../../../src/engine/index.ts';
import { InvariantBroken } from '../promises/invariants.ts';
import type { LogCourse } from './log-course.ts';
import type { UpkeepCounts } from './upkeep-counts.ts';
import { isRecord } from './upkeep-judge.ts';

const POLL_INTERVAL_MS = 1;
/** A follower that finds nothing for so long, where something is, hangs. */
const HANG_MS = 3_000;

/** Why a follower may be told that records are gone. */
export interface Reasons {
  /** A merge may have left them out. */
  hasMerged: boolean;
  /** Another state of the store has taken its place. */
  wasReplaced: boolean;
  /** Is there an empty segment, or one missing in front, that may have held something? */
  readonly hasGaps: () => boolean;
}

/**
 * A follower that is held to what the log is known to hold: every record once, in order, or
 * `SNAPSHOT_GONE`. Where another state of the store took its place, it may go on in either as long
 * as it has seen nothing in which they differ.
 */
export class Followed {
  readonly reader: StoreReader;
  readonly reasons: Reasons;
  isEnded = false;
  private readonly feed: AsyncIterableIterator<ScannedRecord>;
  private readonly counts: UpkeepCounts;
  private courses: LogCourse[];
  private nextTxid: number;
  private pulled: Promise<IteratorResult<ScannedRecord>> | undefined;

  constructor(
    reader: StoreReader,
    course: LogCourse,
    fromTxid: number,
    reasons: Reasons,
    counts: UpkeepCounts,
  ) {
    this.reader = reader;
    this.reasons = reasons;
    this.courses = [course];
    this.nextTxid = fromTxid;
    this.counts = counts;
    this.feed = reader.follow({ fromTxid, pollIntervalMs: POLL_INTERVAL_MS });
    counts.followers++;
  }

  /** Another state has taken the place of the one that is followed. */
  replacedBy(course: LogCourse): void {
    this.courses.push(course);
    this.reasons.wasReplaced = true;
  }

  /** Takes up to so many records, as far as there are any. */
  async pull(most: number): Promise<void> {
    for (let count = 0; count < most && !this.isEnded; count++) {
      this.pulled ??= this.feed.next();
      // Idle: whoever pulls next meets it.
      this.pulled.catch(() => {});
      if (!this.isAnyLeft()) return;
      await this.take(this.pulled);
    }
  }

  /** Ends it in one of the ways; nothing may come any more. */
  async end(way: 'return' | 'throw' | 'close'): Promise<void> {
    if (this.isEnded) return;
    this.isEnded = true;
    const pulled = this.pulled?.catch(() => undefined);
    const ends: Record<typeof way, () => Promise<unknown> | undefined> = {
      close: () => this.reader.close(),
      return: () => this.feed.return?.(),
      throw: () => this.feed.throw?.(new Error('enough')).catch(() => {}),
    };
    await this.inTime<unknown>(Promise.resolve(ends[way]()));
    await this.inTime<unknown>(pulled ?? Promise.resolve());
  }

  private async take(pulled: Promise<IteratorResult<ScannedRecord>>): Promise<void> {
    try {
      const { done, value } = await this.inTime(pulled);
      if (done === true) throw new InvariantBroken('follower', 'a follower ended by itself');
      this.pulled = undefined;
      this.expect(value);
      this.counts.recordsFollowed++;
    } catch (error) {
      this.isEnded = true;
      this.judge(error);
    }
  }

  private expect(record: ScannedRecord): void {
    const left = this.courses.filter((course) => {
      const next = this.nextOf(course);
      return next !== undefined && isRecord(record, next);
    });
    if (left.length === 0)
      throw new InvariantBroken(
        'follower',
        `record ${record.txid} for ${record.key} came, and not ${this.courses.map((course) => this.nextOf(course)?.txid ?? 'nothing').join(' or ')}`,
      );
    this.courses = left;
    this.nextTxid = record.txid + 1;
  }

  private judge(error: unknown): void {
    if (!(error instanceof StoreError)) throw error;
    const { code, firstTxid } = error;
    const { hasMerged, wasReplaced, hasGaps } = this.reasons;
    const isGone = code === 'SNAPSHOT_GONE' && (hasMerged || wasReplaced || hasGaps());
    if (!isGone && !(wasReplaced && code === 'STORE_MOVED'))
      throw new InvariantBroken('follower', `a follower failed with ${error}`);
    if (firstTxid !== undefined && firstTxid !== this.nextTxid)
      throw new InvariantBroken(
        'follower',
        `${firstTxid} is called the first that is gone, and it is ${this.nextTxid}`,
      );
    this.counts.gone++;
  }

  private nextOf(course: LogCourse) {
    return course.records.find(({ txid }) => txid >= this.nextTxid);
  }

  /** Where another state has taken the place, it is that one whose records may not be there yet. */
  private isAnyLeft(): boolean {
    return this.courses.every((course) => this.nextOf(course) !== undefined);
  }

  private async inTime<T>(work: Promise<T>): Promise<T> {
    const ending = new AbortController();
    const late = delay(HANG_MS, undefined, { signal: ending.signal }).then(() => {
      throw new InvariantBroken('I14', 'a follower does not come to an end');
    });
    try {
      return await Promise.race([work, late]);
    } finally {
      ending.abort();
      late.catch(() => {});
    }
  }
}
