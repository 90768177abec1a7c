import { StoreError, type StoreErrorCode } from './errors.ts';

/**
 * One latch around everything that writes. The first failed write or sync closes it; nothing opens
 * it again but reopening the store, because after an I/O error neither the file nor the page cache
 * can be trusted to hold what was written, and a sync that is tried again may succeed without
 * having done anything (the kernel reports a lost page once).
 */
export class PoisonLatch {
  private first: StoreError | undefined;
  private readonly onPoisoned: (error: StoreError) => void;

  constructor(onPoisoned: (error: StoreError) => void) {
    this.onPoisoned = onPoisoned;
  }

  /** The error that closed the latch, or undefined while writing is allowed. */
  get poisonedBy(): StoreError | undefined {
    return this.first;
  }

  /** Throws `WRITER_POISONED` once the latch is closed. */
  check(): void {
    const { refusal } = this;
    if (refusal !== undefined) throw refusal;
  }

  /** What `check` would throw. */
  get refusal(): StoreError | undefined {
    const { first } = this;
    if (first === undefined) return undefined;
    return new StoreError(
      'WRITER_POISONED',
      `writing stopped after an earlier failure (${first.message}); reads go on; close and reopen to write again`,
      { cause: first },
    );
  }

  /**
   * Closes the latch and returns the error for the operation that failed, whose outcome is unknown.
   */
  close(code: StoreErrorCode, action: string, cause: unknown): StoreError {
    // What has closed it says more than any step that failed because of it.
    if (cause !== undefined && cause === this.first) return this.first;
    const error = new StoreError(
      code,
      `${action} failed: ${cause instanceof Error ? cause.message : String(cause)}; whether it took effect is unknown until the store is reopened`,
      { cause, indeterminate: true },
    );
    return this.closeWith(error);
  }

  /** The same with an error that says by itself what happened. */
  closeWith(error: StoreError): StoreError {
    if (this.first === undefined) {
      this.first = error;
      this.onPoisoned(error);
    }
    return error;
  }
}
