import type { BatchOperation, Store } from '../../../src/engine/index.ts';
import { mix32, Prng } from '../../prng.ts';
import { History, type HistoryOperation } from '../promises/history.ts';

export const KILL_KEYS = 40;
/** Small enough that a run rotates often. */
export const KILL_SEGMENT_BYTES = 64 * 1024;
/** A directory inside the store's own: what else stands there is none of the store's business. */
export const OUTPUTS_DIRECTORY = 'outputs';

/** One in so many values is large: a kill in the middle of its write tears it. */
const LARGE_ONE_IN = 90;
const LARGE_BYTES = 400_000;

/** The history of a store that is killed again and again. */
export class KillHistory extends History {
  constructor() {
    super(KILL_KEYS);
  }

  override valueOf(index: number): string {
    return index % LARGE_ONE_IN === 0 ? `${index}:`.padEnd(LARGE_BYTES, '.') : super.valueOf(index);
  }
}

export type KillStep =
  | { readonly kind: 'write' | 'durable'; readonly operation: HistoryOperation }
  | { readonly kind: 'batch'; readonly operations: readonly HistoryOperation[] }
  | { readonly kind: 'sync' | 'rotate' | 'reopen' }
  /** Merges all that has garbage; `beginCompact` goes on beside the next steps. */
  | { readonly kind: 'compact' | 'beginCompact' }
  /** `output` is a name that no other step of the round has. */
  | { readonly kind: 'compactTo' | 'export'; readonly output: string };

/** How many of a hundred steps are of each kind. */
const SHARES: readonly (readonly [KillStep['kind'], number])[] = [
  ['write', 68],
  ['durable', 4],
  ['batch', 10],
  ['sync', 6],
  ['rotate', 4],
  ['compact', 2],
  ['beginCompact', 2],
  ['compactTo', 1],
  ['export', 1],
  ['reopen', 2],
];

/**
 * The steps of one round without end. The killed process and who checks it afterwards take the same
 * ones.
 */
export function* killSteps(seed: number, round: number): Generator<KillStep, never> {
  const prng = Prng.seeded(mix32(seed ^ mix32(round)));
  const operation = (): HistoryOperation => ({
    key: prng.below(KILL_KEYS),
    kind: prng.below(6) === 0 ? 'delete' : 'put',
  });
  for (let number = 0; ; number++) {
    const kind = pickKind(prng);
    switch (kind) {
      case 'write':
      case 'durable':
        yield { kind, operation: operation() };
        break;
      case 'batch':
        yield { kind, operations: Array.from({ length: 1 + prng.below(20) }, operation) };
        break;
      case 'compactTo':
      case 'export':
        yield { kind, output: `${round}-${number}-${kind}` };
        break;
      default:
        yield { kind };
    }
  }
}

/** Yields the steps of these numbers, or all of them. */
export function* pickSteps<Step>(
  steps: Generator<Step, never>,
  numbers: readonly number[] | undefined,
): Generator<Step, void> {
  if (numbers === undefined) yield* steps;
  const wanted = new Set(numbers);
  for (let number = 0; wanted.size > 0; number++) {
    const { value } = steps.next();
    if (wanted.delete(number)) yield value;
  }
}

/** Reads `KillRound.only` from a command line. */
export function parseNumbers(text: string | undefined): number[] | undefined {
  return text?.split(',').filter(Boolean).map(Number);
}

function pickKind(prng: Prng): KillStep['kind'] {
  let choice = prng.below(100);
  for (const [kind, share] of SHARES) {
    if (choice < share) return kind;
    choice -= share;
  }
  throw new RangeError('the shares are less than a hundred');
}

/** What a step adds to the history. */
export function operationsOf(step: KillStep): readonly HistoryOperation[] {
  if (step.kind === 'write' || step.kind === 'durable') return [step.operation];
  return step.kind === 'batch' ? step.operations : [];
}

/** Takes a step on a store whose history has `length` operations. `outputs` is a directory. */
export async function takeStep(
  store: Store,
  step: Exclude<KillStep, { kind: 'reopen' }>,
  history: History,
  length: number,
  outputs: string,
): Promise<void> {
  switch (step.kind) {
    case 'write':
    case 'durable': {
      const name = history.keyName(step.operation.key);
      if (step.operation.kind === 'delete') store.delete(name);
      else if (step.kind === 'durable') await store.putDurable(name, history.valueOf(length));
      else store.put(name, history.valueOf(length));
      break;
    }
    case 'batch':
      store.batch(
        step.operations.map(({ key, kind }, index): BatchOperation => {
          const name = history.keyName(key);
          if (kind === 'delete') return { type: 'del', key: name };
          return { type: 'put', key: name, value: history.valueOf(length + index) };
        }),
      );
      break;
    case 'sync':
      await store.sync();
      break;
    case 'rotate':
      store.rotate();
      break;
    case 'compact':
      await store.compact({ deadRatio: 0 });
      break;
    case 'beginCompact':
      store.compact({ deadRatio: 0 }).catch((error) => {
        // A close ends it. Anything else nobody has asked for, and it ends the process.
        if (error.code !== 'STORE_CLOSED') throw error;
      });
      break;
    case 'compactTo':
      await store.compactTo(`${outputs}/${step.output}`);
      break;
    case 'export':
      await store.exportJsonl(`${outputs}/${step.output}`);
  }
}
