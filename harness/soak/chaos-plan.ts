import { mix32, Prng } from '../prng.ts';
import type { SoakConfiguration } from './run/configuration.ts';

/** The last process then lives long enough to show a trend: only one life does. */
const KILLS_UNTIL_SHARE = 0.6;

/**
 * When to kill: once in each of as many equal parts of the run but its end, at a moment that the
 * seed chooses.
 */
export class ChaosPlan {
  readonly kills: number;
  private readonly prng: Prng;
  private done = 0;
  private nextShare: number;

  constructor({ seed, chaos }: Pick<SoakConfiguration, 'seed' | 'chaos'>) {
    this.kills = chaos?.kills ?? 0;
    this.prng = Prng.seeded(mix32(seed ^ 0x6b696c6c));
    this.nextShare = this.choose();
  }

  /**
   * Undefined when none is due at this share of the run; else how long to wait, so that it comes at
   * any moment and not just after a sample.
   */
  nextKillAfterMs(share: number, sampleIntervalMs: number): number | undefined {
    if (share < this.nextShare || share >= 1) return undefined;
    this.done++;
    this.nextShare = this.choose();
    return this.prng.below(Math.max(1, Math.floor(sampleIntervalMs / 2)));
  }

  private choose(): number {
    if (this.done >= this.kills) return Number.POSITIVE_INFINITY;
    return (KILLS_UNTIL_SHARE * (this.done + this.prng.nextUint32() / 2 ** 32)) / this.kills;
  }
}
