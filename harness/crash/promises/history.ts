import { InvariantBroken } from './invariants.ts';

/**
 * The operations of a crash workload in commit order, and which prefix of them a recovered store
 * shows. Every value names the operation that wrote it, so that a state tells where it comes from
 * and an invented value gives itself away.
 */
export interface HistoryOperation {
  readonly key: number;
  readonly kind: 'put' | 'delete';
}

export class History {
  private readonly operations: (HistoryOperation | Undone)[] = [];
  private readonly live: number[];
  /** The lengths of history at which each state stood, ascending. */
  private readonly lengths = new Map<string, number[]>();

  constructor(keyCount: number) {
    this.live = new Array<number>(keyCount).fill(NOT_LIVE);
    this.note();
  }

  get length(): number {
    return this.operations.length;
  }

  keyName(key: number): string {
    return `key-${key}`;
  }

  /**
   * The value that operation number `index` writes: of a length that depends on it, and nobody
   * else's.
   */
  valueOf(index: number): string {
    return `${index}:${'.'.repeat((index * 37) % 90)}`;
  }

  append(operation: HistoryOperation): void {
    this.live[operation.key] = operation.kind === 'put' ? this.operations.length : NOT_LIVE;
    this.operations.push(operation);
    this.note();
  }

  /**
   * A failure or a crash undid everything after the first `length` operations. History goes on:
   * undoing them was one more operation.
   */
  rollBack(length: number): void {
    const undone = { kind: 'undone', to: this.stateAt(length) } as const;
    this.live.splice(0, this.live.length, ...undone.to);
    this.operations.push(undone);
    this.note();
  }

  /**
   * The number of the operation that wrote the live value of a key, or undefined when it has none.
   */
  liveOperation(key: number): number | undefined {
    const index = this.live[key] as number;
    return index === NOT_LIVE ? undefined : index;
  }

  /** The present state, as `stateOf` gives it for a store. */
  state(): string {
    return this.live.join();
  }

  /** The state that pairs show; throws when one of them was never written (I3). */
  stateOf(pairs: Iterable<[Uint8Array, Uint8Array]>): string {
    const live = new Array<number>(this.live.length).fill(NOT_LIVE);
    for (const [keyBytes, valueBytes] of pairs) {
      const name = String(keyBytes);
      const value = String(valueBytes);
      const index = Number.parseInt(value, 10);
      const operation = this.operations[index];
      if (
        operation?.kind !== 'put' ||
        this.keyName(operation.key) !== name ||
        this.valueOf(index) !== value
      ) {
        throw new InvariantBroken(
          'I3',
          `${name} has ${JSON.stringify(value)}, which was never written for it`,
        );
      }
      live[operation.key] = index;
    }
    return live.join();
  }

  /**
   * How many of the first `most` operations a state is the result of, at most; undefined when it is
   * no prefix's (I1).
   */
  longestPrefix(state: string, most = Number.POSITIVE_INFINITY): number | undefined {
    return this.lengths.get(state)?.findLast((length) => length <= most);
  }

  private note(): void {
    const state = this.state();
    const lengths = this.lengths.get(state);
    if (lengths === undefined) this.lengths.set(state, [this.operations.length]);
    else lengths.push(this.operations.length);
  }

  private stateAt(length: number): readonly number[] {
    let live = this.live.map(() => NOT_LIVE);
    for (const [index, operation] of this.operations.slice(0, length).entries()) {
      if (operation.kind === 'undone') live = [...operation.to];
      else live[operation.key] = operation.kind === 'put' ? index : NOT_LIVE;
    }
    return live;
  }
}

/** Takes the live values of all keys back to what they were. */
interface Undone {
  readonly kind: 'undone';
  readonly to: readonly number[];
}

const NOT_LIVE = -1;
