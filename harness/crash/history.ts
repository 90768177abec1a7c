/**
 * The operations of a crash workload in commit order, and which prefix of them a recovered store shows. Every value names
 * the operation that wrote it, so that a state tells where it comes from and an invented value gives itself away.
 */
export interface HistoryOperation {
  readonly key: number;
  readonly kind: 'put' | 'delete';
}

export class History {
  private readonly operations: HistoryOperation[] = [];
  private readonly live: number[];
  /** The last length of history at which each state stood. */
  private readonly lastLength = new Map<string, number>();

  constructor(keyCount: number) {
    this.live = new Array<number>(keyCount).fill(NOT_LIVE);
    this.lastLength.set(this.state(), 0);
  }

  get length(): number {
    return this.operations.length;
  }

  keyName(key: number): string {
    return `key-${key}`;
  }

  /** The value that operation number `index` writes: of a length that depends on it, and nobody else's. */
  valueOf(index: number): string {
    return `${index}:${'.'.repeat((index * 37) % 90)}`;
  }

  append(operation: HistoryOperation): void {
    this.live[operation.key] = operation.kind === 'put' ? this.operations.length : NOT_LIVE;
    this.operations.push(operation);
    this.lastLength.set(this.state(), this.operations.length);
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
        throw new Error(`I3: ${name} has ${JSON.stringify(value)}, which was never written for it`);
      }
      live[operation.key] = index;
    }
    return live.join();
  }

  /** How many operations a state is the result of, at most; undefined when it is no prefix's (I1). */
  longestPrefix(state: string): number | undefined {
    return this.lastLength.get(state);
  }
}

const NOT_LIVE = -1;
