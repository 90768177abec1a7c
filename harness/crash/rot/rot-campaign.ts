import { setImmediate as nextTurn } from 'node:timers/promises';
import { DATAWAL_FIXTURES } from '../../corpus/datawal-fixtures.ts';
import { invariantOf } from '../promises/invariants.ts';
import {
  agedSidecars,
  cuts,
  flips,
  foreignAppends,
  liveCopies,
  misplacements,
  type RotCase,
  sidecarDamage,
} from './rot-cases.ts';
import { judgeLiveRot, judgeRot, type RotOutcome } from './rot-check.ts';
import { judgePair } from './rot-pair-check.ts';
import { type PairSubject, pairSubjects } from './rot-pair-subjects.ts';
import { copies, pairsOf, type RotPair, removals } from './rot-pairs.ts';
import { corpusSubject, madeStore, type RotSubject } from './rot-subject.ts';

export interface RotOptions {
  /** Fixtures of the committed corpus. Default: those of datawal. */
  readonly fixtures?: readonly string[];
  /** Which bits of each byte are flipped. Default: all eight. */
  readonly bits?: readonly number[];
  /** Decides on the copies of a living store, an integer from 0 to 2^32 - 1. */
  readonly seed: number;
  /** Judges only one in so many pairs of damage. Default: all. */
  readonly pairsOneIn?: number;
  readonly onProgress?: (report: RotReport) => void;
}

/** All that was damaged in one way in one store. */
export interface RotRow {
  readonly subject: string;
  readonly row: string;
  readonly cases: number;
  readonly outcomes: Readonly<Record<RotOutcome, number>>;
  /** Cases that only seal files could tell from a whole store. */
  readonly needSeals: number;
  readonly findings: number;
}

export interface RotReport {
  readonly seed: number;
  readonly rows: readonly RotRow[];
  readonly cases: number;
  /** Cases that damage two files or more. */
  readonly pairs: number;
  readonly durationMs: number;
  readonly findings: readonly RotFinding[];
}

export interface RotFinding {
  readonly invariant: string;
  readonly message: string;
  readonly subject: string;
  readonly row: string;
  readonly what: string;
}

const ALL_BITS = [0, 1, 2, 3, 4, 5, 6, 7];
const LIVE_COPY_SAMPLES = 400;
/** A run that has judged fewer has said nothing. */
export const LEAST_PAIRS = 4_000;

/**
 * Damages stores at rest, and one that lives, in every way of I5. The same at every run with the
 * same seed.
 */
export async function runRot(options: RotOptions): Promise<RotReport> {
  const campaign = new RotCampaign(options);
  const bits = options.bits ?? ALL_BITS;
  for (const name of options.fixtures ?? DATAWAL_FIXTURES.map(({ name }) => name)) {
    const subject = await corpusSubject(name);
    await campaign.judge(subject.name, flips(subject, bits));
    await campaign.judge(subject.name, cuts(subject));
  }
  const made = await madeStore('ours');
  const other = await madeStore('theirs');
  for (const [subject, stranger] of [
    [made.closed, other.closed],
    [made.killed, other.killed],
    [made.reopened, other.reopened],
  ] as const) {
    await campaign.judge(subject.name, flips(subject, bits));
    await campaign.judge(subject.name, cuts(subject));
    await campaign.judge(subject.name, misplacements(subject, stranger));
    await campaign.judge(subject.name, sidecarDamage(subject, stranger, bits));
    await campaign.judge(
      subject.name,
      agedSidecars(subject, made.moments, subject !== made.reopened),
    );
    await campaign.judge(subject.name, foreignAppends(subject));
    await campaign.judgeLive(subject, bits);
  }
  await campaign.judge('ours, living', liveCopies(made, options.seed, LIVE_COPY_SAMPLES));
  const { atRest, merging } = await pairSubjects();
  for (const subject of atRest) {
    await campaign.judgePairs(subject, pairsOf(subject));
    await campaign.judgePairs(subject, removals(subject));
  }
  await campaign.judgePairs(merging, copies(merging, options.seed, LIVE_COPY_SAMPLES));
  return campaign.report();
}

interface CountedRow extends RotRow {
  cases: number;
  readonly outcomes: Record<RotOutcome, number>;
  needSeals: number;
  findings: number;
}

class RotCampaign {
  private readonly options: RotOptions;
  private readonly startMs = performance.now();
  private readonly rows = new Map<string, CountedRow>();
  private readonly findings: RotFinding[] = [];
  private pairs = 0;
  private pairsSeen = 0;

  constructor(options: RotOptions) {
    this.options = options;
  }

  report(): RotReport {
    const rows = [...this.rows.values()];
    return {
      seed: this.options.seed,
      rows,
      cases: rows.reduce((sum, { cases }) => sum + cases, 0),
      pairs: this.pairs,
      durationMs: performance.now() - this.startMs,
      findings: this.findings,
    };
  }

  async judge(subject: string, cases: Iterable<RotCase>): Promise<void> {
    for (const damage of cases) {
      const row = this.rowOf(subject, damage.row);
      row.cases++;
      if (damage.needsSeal) row.needSeals++;
      try {
        row.outcomes[await judgeRot(damage)]++;
      } catch (error) {
        this.find(error, row, damage.what);
      }
    }
    await this.endRow();
  }

  async judgePairs(subject: PairSubject, cases: Iterable<RotPair>): Promise<void> {
    const { pairsOneIn = 1 } = this.options;
    for (const pair of cases) {
      if (this.pairsSeen++ % pairsOneIn !== 0) continue;
      const row = this.rowOf(subject.name, pair.row);
      row.cases++;
      this.pairs++;
      try {
        row.outcomes[await judgePair(subject, pair)]++;
      } catch (error) {
        this.find(error, row, pair.what);
      }
    }
    await this.endRow();
  }

  async judgeLive(subject: RotSubject, bits: readonly number[]): Promise<void> {
    const row = this.rowOf(subject.name, 'bit flipped while open');
    try {
      const flipped = await judgeLiveRot(subject, bits);
      row.cases += flipped;
      row.outcomes.detected += flipped;
    } catch (error) {
      row.cases++;
      this.find(error, row, 'see the message');
    }
    await this.endRow();
  }

  private rowOf(subject: string, row: string): CountedRow {
    const key = `${subject} ${row}`;
    let counted = this.rows.get(key);
    if (counted === undefined) {
      const outcomes = {
        detected: 0,
        'detected when read': 0,
        unharmed: 0,
        prefix: 0,
        undetected: 0,
      };
      counted = { subject, row, cases: 0, outcomes, needSeals: 0, findings: 0 };
      this.rows.set(key, counted);
    }
    return counted;
  }

  private find(error: unknown, row: CountedRow, what: string): void {
    row.findings++;
    const message = error instanceof Error ? error.message : String(error);
    this.findings.push({
      invariant: invariantOf(error),
      message,
      subject: row.subject,
      row: row.row,
      what,
    });
  }

  private async endRow(): Promise<void> {
    await nextTurn();
    this.options.onProgress?.(this.report());
  }
}
