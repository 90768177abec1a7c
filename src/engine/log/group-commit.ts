import { inOwnContext } from '../host/own-context.ts';

interface Batch {
  readonly promise: Promise<number>;
  readonly resolve: (operation: number) => void;
  readonly reject: (error: unknown) => void;
  waiters: number;
}

/**
 * One sync acknowledges everybody who asked before it began. A caller that comes while one is
 * running needs the next, since the running one may have begun before that caller's bytes were
 * written. One at a time: a second sync of the same file could be told nothing of a failure that
 * the first was told of.
 */
export class GroupCommit {
  private readonly commit: (waiters: number) => Promise<number>;
  private next: Batch | undefined;
  private running = false;
  private waiting = 0;

  /** `commit` returns what names the operation that it was. */
  constructor(commit: (waiters: number) => Promise<number>) {
    this.commit = commit;
  }

  /** Callers whose sync has not ended. */
  get waiterCount(): number {
    return this.waiting;
  }

  /** Settles with the first commit that begins after this call, and with what names it. */
  join(): Promise<number> {
    this.next ??= newBatch();
    this.next.waiters++;
    this.waiting++;
    const { promise } = this.next;
    if (!this.running) void inOwnContext(() => this.run());
    return promise;
  }

  private async run(): Promise<void> {
    this.running = true;
    while (this.next !== undefined) {
      // Whoever asks in the same turn of the event loop shares the commit.
      await undefined;
      const batch = this.next;
      this.next = undefined;
      try {
        const operation = await this.commit(batch.waiters);
        this.waiting -= batch.waiters;
        batch.resolve(operation);
      } catch (error) {
        this.waiting -= batch.waiters;
        batch.reject(error);
      }
    }
    this.running = false;
  }
}

function newBatch(): Batch {
  let resolve!: (operation: number) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<number>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { promise, resolve, reject, waiters: 0 };
}
