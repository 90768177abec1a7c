/**
 * So many spans a second, with one second's worth in hand. An operation that has begun may overdraw
 * it.
 */
export class SpanBudget {
  private readonly perSecond: number;
  private tokens: number;
  private refilledMs = performance.now();

  constructor(perSecond: number) {
    if (!(perSecond > 0))
      throw new RangeError(`budgetPerSecond must be positive, not ${perSecond}`);
    this.perSecond = perSecond;
    this.tokens = perSecond;
  }

  hasRoom(): boolean {
    const nowMs = performance.now();
    this.tokens = Math.min(
      this.perSecond,
      this.tokens + ((nowMs - this.refilledMs) / 1000) * this.perSecond,
    );
    this.refilledMs = nowMs;
    return this.tokens >= 1;
  }

  take(): void {
    this.tokens--;
  }
}
