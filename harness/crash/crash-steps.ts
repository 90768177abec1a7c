import type { Prng } from '../prng.ts';
import type { HistoryOperation } from './history.ts';

/** Keys of a crash workload: few, so that most are overwritten and deleted again. */
export const KEYS = 12;

/** A workload as data, so that a failing one can be cut down step by step. */
export type Step =
  | { readonly kind: 'write'; readonly operation: HistoryOperation }
  | { readonly kind: 'batch'; readonly operations: readonly HistoryOperation[] }
  | { readonly kind: 'read'; readonly key: number }
  /** Settles before the next step. */
  | { readonly kind: 'sync' }
  /** Runs beside the next steps. */
  | { readonly kind: 'beginSync' }
  | { readonly kind: 'rotate' }
  /** Lets a sync that was begun get one step further. */
  | { readonly kind: 'turn' }
  | { readonly kind: 'reopen' }
  | { readonly kind: 'compactTo' }
  | { readonly kind: 'exportJsonl' }
  /** The user, not the store, makes the directory. */
  | { readonly kind: 'makeDirectory' }
  | { readonly kind: 'die' }
  /** The process dies in the n-th call from now that changes the disk. */
  | { readonly kind: 'dieIn'; readonly calls: number }
  /** The n-th call from now that changes the disk fails. */
  | { readonly kind: 'failIn'; readonly calls: number }
  /** The kernel cannot write back a file with unsynced bytes. */
  | { readonly kind: 'failWriteback'; readonly pick: number };

/** One workload in so many meets I/O errors. */
const FAULTY_ONE_IN = 2;
const MADE_BY_USER_ONE_IN = 4;

/** The first `count` steps that belong to a stream: fewer are a prefix of more. */
export function planSteps(prng: Prng, count: number): Step[] {
  const isFaulty = prng.below(FAULTY_ONE_IN) === 0;
  const steps: Step[] = prng.below(MADE_BY_USER_ONE_IN) === 0 ? [{ kind: 'makeDirectory' }] : [];
  const choices = isFaulty ? [...CHOICES, ...FAULTS] : CHOICES;
  const total = choices.reduce((sum, { weight }) => sum + weight, 0);
  while (steps.length < count) {
    let ticket = prng.below(total);
    const choice = choices.find(({ weight }) => {
      ticket -= weight;
      return ticket < 0;
    }) as Choice;
    steps.push(choice.make(prng));
  }
  return steps;
}

interface Choice {
  readonly weight: number;
  readonly make: (prng: Prng) => Step;
}

const CHOICES: readonly Choice[] = [
  { weight: 35, make: (prng) => ({ kind: 'write', operation: { key: prng.below(KEYS), kind: 'put' } }) },
  { weight: 9, make: (prng) => ({ kind: 'write', operation: { key: prng.below(KEYS), kind: 'delete' } }) },
  { weight: 9, make: (prng) => ({ kind: 'batch', operations: planBatch(prng) }) },
  { weight: 3, make: (prng) => ({ kind: 'read', key: prng.below(KEYS) }) },
  { weight: 8, make: () => ({ kind: 'sync' }) },
  { weight: 5, make: () => ({ kind: 'beginSync' }) },
  { weight: 7, make: () => ({ kind: 'rotate' }) },
  { weight: 9, make: () => ({ kind: 'turn' }) },
  { weight: 4, make: () => ({ kind: 'reopen' }) },
  { weight: 1, make: () => ({ kind: 'compactTo' }) },
  { weight: 1, make: () => ({ kind: 'exportJsonl' }) },
  { weight: 4, make: () => ({ kind: 'die' }) },
  // An opening makes some fifteen such calls.
  { weight: 4, make: (prng) => ({ kind: 'dieIn', calls: 1 + prng.below(24) }) },
];

const FAULTS: readonly Choice[] = [
  { weight: 4, make: (prng) => ({ kind: 'failIn', calls: 1 + prng.below(24) }) },
  { weight: 5, make: (prng) => ({ kind: 'failWriteback', pick: prng.below(64) }) },
];

function planBatch(prng: Prng): HistoryOperation[] {
  return Array.from({ length: 1 + prng.below(5) }, () => ({
    key: prng.below(KEYS),
    kind: prng.below(5) === 0 ? 'delete' : 'put',
  }));
}

/** A step as a report shows it. */
export function describeStep(step: Step): string {
  const name = ({ kind, key }: HistoryOperation) => `${kind} key-${key}`;
  switch (step.kind) {
    case 'write':
      return name(step.operation);
    case 'batch':
      return `batch (${step.operations.map(name).join(', ')})`;
    case 'read':
      return `get key-${step.key}`;
    case 'beginSync':
      return 'sync, not awaited';
    case 'turn':
      return 'await one turn';
    case 'reopen':
      return 'close and reopen';
    case 'makeDirectory':
      return 'mkdir by the user';
    case 'die':
      return 'kill the process, reopen';
    case 'dieIn':
      return `kill the process in call ${step.calls} from here that changes the disk`;
    case 'failIn':
      return `call ${step.calls} from here that changes the disk fails`;
    case 'failWriteback':
      return 'the kernel fails to write back a file with unsynced bytes';
    default:
      return step.kind;
  }
}
