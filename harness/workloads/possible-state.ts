import { ABSENT, type Outcome } from './hostile-values.ts';

/** What each key of a store may hold; a key that was never written holds nothing. */
export class PossibleState {
  private readonly possible = new Map<number, readonly Outcome[]>();

  /** It was written, and holds this now. */
  wrote(key: number, outcome: Outcome): void {
    this.possible.set(key, [outcome]);
  }

  /** A write of it failed, or was in flight when the process ended: it happened or not. */
  mayHaveWritten(key: number, outcome: Outcome): void {
    const outcomes = this.of(key);
    if (!outcomes.includes(outcome)) this.possible.set(key, [...outcomes, outcome]);
  }

  /** The oldest first. */
  of(key: number): readonly Outcome[] {
    return this.possible.get(key) ?? NOTHING;
  }

  allows(key: number, outcome: Outcome): boolean {
    return this.of(key).includes(outcome);
  }

  keys(): Iterable<number> {
    return this.possible.keys();
  }
}

const NOTHING: readonly Outcome[] = [ABSENT];
