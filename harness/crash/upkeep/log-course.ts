/** A record as the history knows it: of each txid there is one, and no two values are the same. */
export interface KnownRecord {
  readonly txid: number;
  readonly key: string;
  /** Undefined for a Delete. */
  readonly value: string | undefined;
}

/** What a store shows, by key. */
export type State = ReadonlyMap<string, string>;

export function stateOf(records: readonly KnownRecord[]): State {
  const state = new Map<string, string>();
  for (const { key, value } of records) {
    if (value === undefined) state.delete(key);
    else state.set(key, value);
  }
  return state;
}

/** The records of one log in the order in which they were written. */
export class LogCourse {
  readonly records: KnownRecord[];
  /** Given away; the next record has this one or a later one. */
  nextTxid: number;

  constructor(records: readonly KnownRecord[] = [], nextTxid = 1) {
    this.records = [...records];
    this.nextTxid = nextTxid;
  }

  get state(): State {
    return stateOf(this.records);
  }

  /** Everything before this txid. */
  before(txid: number): readonly KnownRecord[] {
    return this.records.filter((record) => record.txid < txid);
  }

  append(key: string, value: string | undefined): void {
    this.records.push({ txid: this.nextTxid++, key, value });
  }
}

/** Does the log of `later` begin with the records of `earlier`? */
export function goesOnFrom(
  later: readonly KnownRecord[],
  earlier: readonly KnownRecord[],
): boolean {
  return earlier.every((record, index) => isSame(record, later[index]));
}

export function isSame(a: KnownRecord, b: KnownRecord | undefined): boolean {
  return a.txid === b?.txid && a.key === b.key && a.value === b.value;
}

/** The first difference between two states in words; undefined where there is none. */
export function differenceOf(found: State, expected: State): string | undefined {
  for (const key of new Set([...expected.keys(), ...found.keys()])) {
    if (found.get(key) === expected.get(key)) continue;
    return `${key} has ${told(found.get(key))} and not ${told(expected.get(key))}`;
  }
  return undefined;
}

const told = (value: string | undefined) => (value === undefined ? 'nothing' : `'${value}'`);

export function stateOfPairs(pairs: Iterable<[Uint8Array, Uint8Array]>): State {
  return new Map([...pairs].map(([key, value]) => [String(key), String(value)]));
}
