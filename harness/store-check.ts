import { setImmediate as nextTurn } from 'node:timers/promises';
import { AdapterError } from './adapter-error.ts';
import { type KeyedValues, printableKey } from './keyed-values.ts';
import type { Oracle } from './oracle.ts';
import type { StoreUnderTest } from './store-under-test.ts';

export type ViolationKind =
  /** A key that was put is not there. */
  | 'lost'
  /** A key is there with other bytes than those put last. */
  | 'wrong'
  /** A deleted key is there. */
  | 'resurrected'
  /** A key is there that was never put, or twice in one listing. */
  | 'invented';

export interface Violation {
  readonly kind: ViolationKind;
  /** Text when it is printable, hexadecimal otherwise. */
  readonly key: string;
  /** A clause that goes on after kind and key. */
  readonly detail: string;
}

/** Keys checked between two turns of the event loop. */
const KEYS_PER_TURN = 64;

/** Compares what a store says with what it was told. */
export class StoreCheck {
  private readonly values: KeyedValues;
  private readonly oracle: Oracle;

  constructor(values: KeyedValues, oracle: Oracle) {
    this.values = values;
    this.oracle = oracle;
  }

  /** What is wrong with `found` as the answer to a get of this key now. */
  judge(keyNumber: number, found: Uint8Array | undefined): Violation | undefined {
    const version = this.oracle.liveVersionOf(keyNumber);
    if (found === undefined) {
      return version === 0
        ? undefined
        : this.violation(
            'lost',
            keyNumber,
            `is absent; ${this.values.nameOf(version)} was put last`,
          );
    }
    if (!(found instanceof Uint8Array)) {
      throw new AdapterError(
        `a value that the store gives must be a Uint8Array or undefined, not ${found}`,
      );
    }
    if (version !== 0) {
      const difference = this.values.differenceFrom(keyNumber, version, found);
      return difference === undefined
        ? undefined
        : this.violation('wrong', keyNumber, `holds ${difference}`);
    }
    const deleted = this.oracle.lastVersionOf(keyNumber);
    return deleted === 0
      ? this.violation('invented', keyNumber, `was never put, and holds ${found.length} bytes`)
      : this.violation(
          'resurrected',
          keyNumber,
          `was deleted after ${this.values.nameOf(deleted)}, and holds ${found.length} bytes`,
        );
  }

  /** Gets every key; yields what is wrong, and the number of keys checked so far at every turn. */
  async *everyKey(store: StoreUnderTest): AsyncGenerator<Violation | number> {
    for (let keyNumber = 0; keyNumber < this.oracle.keyCount; keyNumber++) {
      const violation = this.judge(keyNumber, await store.get(this.values.keyOf(keyNumber)));
      if (violation !== undefined) yield violation;
      if (keyNumber % KEYS_PER_TURN > 0) continue;
      await nextTurn();
      yield keyNumber;
    }
    yield this.oracle.keyCount;
  }

  /**
   * Lists all entries: each live key once, with its bytes, and no other. Yields as `everyKey` does.
   */
  async *everyEntry(store: StoreUnderTest): AsyncGenerator<Violation | number> {
    const seen = new Uint8Array(this.oracle.keyCount);
    let count = 0;
    for await (const [key, value] of store.entries()) {
      const violation = this.judgeEntry(key, value, seen);
      if (violation !== undefined) yield violation;
      if (++count % KEYS_PER_TURN > 0) continue;
      await nextTurn();
      yield count;
    }
    for (let keyNumber = 0; keyNumber < seen.length; keyNumber++) {
      if (seen[keyNumber] === 0 && this.oracle.liveVersionOf(keyNumber) !== 0) {
        yield this.violation('lost', keyNumber, 'is live, and entries() does not list it');
      }
    }
    yield count;
  }

  private judgeEntry(key: Uint8Array, value: Uint8Array, seen: Uint8Array): Violation | undefined {
    const keyNumber = this.values.numberOf(key);
    if (keyNumber === undefined) {
      return {
        kind: 'invented',
        key: printableKey(key),
        detail: 'is listed by entries(), and was never put',
      };
    }
    if (seen[keyNumber] === 1)
      return this.violation('invented', keyNumber, 'is listed twice by entries()');
    seen[keyNumber] = 1;
    return this.judge(keyNumber, value);
  }

  private violation(kind: ViolationKind, keyNumber: number, detail: string): Violation {
    return { kind, key: printableKey(this.values.keyOf(keyNumber)), detail };
  }
}
