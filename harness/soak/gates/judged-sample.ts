import type { Sample } from '../sampling/sample.ts';

/** A sample as gates see it. */
export interface JudgedSample {
  readonly sample: Sample;
  /** The one before it, of the same process. */
  readonly before: Sample | undefined;
  /**
   * Its process has been at work for as long as the warm-up of the run took: what grows from then
   * on, lasts.
   */
  readonly isSettled: boolean;
}

/** One that shows the number of a series. */
export interface MeasuredPoint extends JudgedSample {
  readonly value: number;
}

/** Is told the samples of a run in order. */
export class SampleSequence {
  private last: Sample | undefined;
  private bornAtS = 0;

  /** `warmupS`: how long the warm-up of the run took; undefined as long as it lasts. */
  next(sample: Sample, warmupS: number | undefined): JudgedSample {
    const { last } = this;
    this.last = sample;
    const isSameLife = last?.life === sample.life;
    // The first life begins with the run.
    if (last !== undefined && !isSameLife) this.bornAtS = sample.elapsedS;
    return {
      sample,
      before: isSameLife ? last : undefined,
      isSettled: warmupS !== undefined && sample.elapsedS - this.bornAtS >= warmupS,
    };
  }
}
