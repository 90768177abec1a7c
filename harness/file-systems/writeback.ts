/**
 * How Linux tells of bytes that it could not write back: each descriptor hears of it at its next
 * sync, once. A descriptor opened later hears of it too, unless somebody has heard already. When
 * the process dies, whoever has not heard by then never will: the inode may have left the kernel's
 * cache meanwhile.
 */
export class Writeback {
  /** Inodes with bytes that no sync has covered. */
  private readonly dirty = new Set<number>();
  /** Maps an inode to the event of the trace before which a sync has covered everything. */
  private readonly coveredUntil = new Map<number, number>();
  private readonly failures = new Map<number, { count: number; isHeard: boolean }>();
  private readonly opened = new Map<number, { readonly inode: number; failuresHeard: number }>();

  /** The same kernel, seen by the next process. */
  afterProcessDeath(): Writeback {
    const next = new Writeback();
    for (const inode of this.dirty) next.dirty.add(inode);
    for (const [inode, until] of this.coveredUntil) next.coveredUntil.set(inode, until);
    for (const [inode, { count }] of this.failures)
      next.failures.set(inode, { count, isHeard: true });
    return next;
  }

  open(descriptor: number, inode: number): void {
    const failure = this.failures.get(inode);
    const failuresHeard =
      failure === undefined ? 0 : failure.isHeard ? failure.count : failure.count - 1;
    this.opened.set(descriptor, { inode, failuresHeard });
  }

  close(descriptor: number): void {
    this.opened.delete(descriptor);
  }

  write(inode: number): void {
    this.dirty.add(inode);
  }

  /** A dirty inode by an arbitrary number, or undefined when all is clean. */
  pickDirty(pick: number): number | undefined {
    return [...this.dirty][pick % this.dirty.size];
  }

  /** Returns the event from which on the bytes of the file are lost. */
  fail(inode: number): number {
    const failure = this.failures.get(inode);
    this.failures.set(inode, { count: (failure?.count ?? 0) + 1, isHeard: false });
    this.dirty.delete(inode);
    return this.coveredUntil.get(inode) ?? 0;
  }

  /**
   * A sync of everything before event number `until`. False when this descriptor must hear of a
   * failure.
   */
  sync(descriptor: number, until: number): boolean {
    const entry = this.opened.get(descriptor);
    const failure = entry === undefined ? undefined : this.failures.get(entry.inode);
    if (entry === undefined) return true;
    if (failure !== undefined && entry.failuresHeard < failure.count) {
      entry.failuresHeard = failure.count;
      failure.isHeard = true;
      return false;
    }
    this.dirty.delete(entry.inode);
    this.coveredUntil.set(entry.inode, until);
    return true;
  }
}
