import { setImmediate as nextTurn } from 'node:timers/promises';
import { invariantOf } from '../promises/invariants.ts';
import type { RotOutcome } from './rot-check.ts';
import { type RotSource, type RotSourceOptions, rotSources } from './rot-sources.ts';

export interface RotOptions extends RotSourceOptions {
  /** Judges only one in so many pairs of damage. Default: all. */
  readonly pairsOneIn?: number;
  /** Ends it soon; what was not judged is counted. */
  readonly signal?: AbortSignal;
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
  /** Cases that the end of the time left out. */
  readonly notDone: number;
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

const CASES_PER_TURN = 256;
/** A run that has judged fewer has said nothing. */
export const LEAST_PAIRS = 4_000;

/**
 * Damages stores at rest, and one that lives, in every way of I5. The same at every run with the
 * same seed.
 */
export async function runRot(options: RotOptions): Promise<RotReport> {
  const campaign = new RotCampaign(options);
  for (const source of await rotSources(options)) await campaign.judge(source);
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
  private judged = 0;
  private notDone = 0;

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
      notDone: this.notDone,
      durationMs: performance.now() - this.startMs,
      findings: this.findings,
    };
  }

  async judge(source: RotSource): Promise<void> {
    const { pairsOneIn = 1, signal } = this.options;
    for (const one of source.cases()) {
      if (one.isPair && this.pairsSeen++ % pairsOneIn !== 0) continue;
      if (signal?.aborted) {
        this.notDone++;
        continue;
      }
      const row = this.rowOf(source.subject, one.row);
      if (one.isPair) this.pairs++;
      if (one.needsSeal) row.needSeals++;
      try {
        const outcome = await one.judge();
        const count = one.count?.() ?? 1;
        row.cases += count;
        row.outcomes[outcome] += count;
      } catch (error) {
        row.cases++;
        this.find(error, row, one.what);
      }
      if (++this.judged % CASES_PER_TURN === 0) await this.turn();
    }
    await this.turn();
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

  /** Lets signals in, and tells how it goes. */
  private async turn(): Promise<void> {
    await nextTurn();
    this.options.onProgress?.(this.report());
  }
}
