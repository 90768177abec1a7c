import type { LogPosition } from '../../../src/engine/index.ts';

/** What must hold of a store that is opened after the power went at some moment of a workload. */
export interface Expectation {
  /** Operations acknowledged as durable: the state is the result of at least so many. */
  readonly acknowledged: number;
  /** Operations begun: it is the result of at most so many. */
  readonly begun: number;
  /** Every txid below this one may have been given away. */
  readonly nextTxid: number;
  /** The durable mark stands here or further on. */
  readonly mark: Pick<LogPosition, 'segmentId' | 'offset'>;
  /** The log was closed in order, and nobody touched it since. */
  readonly closed: boolean;
  /** What was written beside the store, by path. */
  readonly outputs: ReadonlyMap<string, Output>;
}

/** Stands in a trace: from here on the store must recover to more than before. */
export interface ExpectationRaised {
  readonly kind: 'expect';
  readonly more: Partial<Expectation>;
}

/**
 * What `compactTo`, `backup` or `exportJsonl` made: there whole, or, until they have returned, not
 * at all.
 */
export interface Output {
  /**
   * The state of the store that it must hold, or the text of the file. A backup may be there in
   * part, and then refuses to open.
   */
  readonly holds:
    | { readonly state: string; readonly mayBeUnfinished?: boolean }
    | { readonly text: string };
  readonly isComplete: boolean;
}

export const NOTHING_EXPECTED: Expectation = {
  acknowledged: 0,
  begun: 0,
  nextTxid: 0,
  mark: { segmentId: 0, offset: 0 },
  closed: false,
  outputs: new Map(),
};

/** Promises are not taken back: a smaller number that comes later changes nothing. */
export function expectMore(before: Expectation, more: Partial<Expectation>): Expectation {
  return {
    acknowledged: Math.max(before.acknowledged, more.acknowledged ?? 0),
    begun: Math.max(before.begun, more.begun ?? 0),
    nextTxid: Math.max(before.nextTxid, more.nextTxid ?? 0),
    mark: more.mark !== undefined && isBehind(before.mark, more.mark) ? more.mark : before.mark,
    closed: more.closed ?? before.closed,
    outputs: more.outputs ?? before.outputs,
  };
}

export function isBehind(a: Expectation['mark'], b: Expectation['mark']): boolean {
  return a.segmentId < b.segmentId || (a.segmentId === b.segmentId && a.offset < b.offset);
}
