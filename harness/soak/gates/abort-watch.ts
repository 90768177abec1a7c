import type { Sample } from '../sampling/sample.ts';
import type { Gate } from './gate.ts';
import { type JudgedSample, SampleSequence } from './judged-sample.ts';
import type { Threshold } from './threshold.ts';
import { judgeThreshold } from './threshold-gate.ts';

/** What one sample decides by itself needs no look at those before. */
const DECIDED_BY_ONE: ReadonlySet<string> = new Set(['min', 'max', 'last', 'value']);
/** The others look at all samples, so they look again only when these have grown by this. */
const GROWTH_BETWEEN_LOOKS = 1.05;

/** Looks at the gates that end a run as soon as they fail. */
export class AbortWatch {
  private readonly thresholds: readonly Threshold[];
  private readonly seed: number;
  private readonly judged: JudgedSample[] = [];
  private readonly sequence = new SampleSequence();
  private warmupS: number | undefined;
  private nextLook = 1;
  private failure: Gate | undefined;

  constructor(thresholds: readonly Threshold[], seed: number) {
    this.thresholds = thresholds.filter(({ abortOnFail }) => abortOnFail);
    this.seed = seed;
  }

  /** The gate that ended the run, as it stood then. */
  get failed(): Gate | undefined {
    return this.failure;
  }

  /** True when the run should end. */
  add(sample: Sample, isWarm: boolean): boolean {
    if (this.thresholds.length === 0) return false;
    if (isWarm) this.warmupS ??= sample.elapsedS;
    const newest = this.sequence.next(sample, this.warmupS);
    if (!isWarm) return false;
    this.judged.push(newest);
    const looksAtAll = this.judged.length >= this.nextLook;
    if (looksAtAll) this.nextLook = Math.ceil(this.judged.length * GROWTH_BETWEEN_LOOKS) + 1;
    for (const threshold of this.thresholds) {
      const byOne = DECIDED_BY_ONE.has(threshold.statistic.kind);
      if (!byOne && !looksAtAll) continue;
      const gate = judgeThreshold(threshold, byOne ? [newest] : this.judged, true, this.seed);
      if (gate.verdict === 'failed') this.failure ??= { ...gate, aborted: true };
    }
    return this.failure !== undefined;
  }
}
