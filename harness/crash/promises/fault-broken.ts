/**
 * Something that was promised does not hold; `invariant` is I1 to I12 of the design, or a word
 * where it has none.
 */
export class PromiseBroken extends Error {
  override readonly name = 'PromiseBroken';
  readonly invariant: string;

  constructor(invariant: string, message: string) {
    super(message);
    this.invariant = invariant;
  }
}

/**
 * The invariant that an error is about: whatever the harness does not expect means that the store
 * fails.
 */
export function invariantOf(error: unknown): string {
  return (error as { invariant?: string }).invariant ?? 'alive';
}
