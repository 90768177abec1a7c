import type { Prng } from '../../prng.ts';
import type { HistoryOperation } from '../promises/history.ts';

/** Keys of a crash workload: few, so that most are overwritten and deleted again. */
export const KEYS = 12;

/** A workload as data, so that a failing one can be cut down step by step. */
export type Step =
  | ImmediateStep
  /** Several in one go; at a tick what runs beside them gets so many microtasks further. */
  | { readonly kind: 'burst'; readonly steps: readonly (ImmediateStep | Tick)[] }
  /** Settles before the next step. */
  | { readonly kind: 'sync' }
  /** Lets a sync that was begun get one step further. */
  | { readonly kind: 'turn' }
  /** Lets what runs between turns of the event loop go on: seals, and merges that wait for them. */
  | { readonly kind: 'pause'; readonly turns: number }
  | { readonly kind: 'reopen' }
  | { readonly kind: 'compactTo' }
  /** Merges what has so much garbage before the next step. */
  | { readonly kind: 'compact'; readonly deadRatio: number }
  /** Finds nothing: nothing is damaged. */
  | { readonly kind: 'verify' }
  | { readonly kind: 'backup' }
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

export interface Tick {
  readonly kind: 'tick';
  readonly count: number;
}

/** What a caller does in one go. */
export type ImmediateStep =
  | { readonly kind: 'write'; readonly operation: HistoryOperation }
  | { readonly kind: 'batch'; readonly operations: readonly HistoryOperation[] }
  | { readonly kind: 'read'; readonly key: number }
  /** Runs beside the next steps. */
  | { readonly kind: 'beginSync' }
  /** Does what `compact` does, beside the next steps. */
  | { readonly kind: 'beginCompact'; readonly deadRatio: number }
  | { readonly kind: 'rotate' };

const MADE_BY_USER_ONE_IN = 4;

/**
 * One workload in so many is short: beginnings are where much goes wrong, and many can be tried.
 */
const SHORT_ONE_IN = 2;
const SHORT_LEAST = 4;
const SHORT_MOST = 20;

/** The steps that belong to a stream, at most `most`. */
export function planSteps(prng: Prng, most: number): Step[] {
  const isShort = prng.below(SHORT_ONE_IN) === 0;
  const count = isShort
    ? Math.min(most, SHORT_LEAST + prng.below(SHORT_MOST - SHORT_LEAST + 1))
    : most;
  const mood = MOODS[prng.below(MOODS.length)] as Mood;
  const steps: Step[] = prng.below(MADE_BY_USER_ONE_IN) === 0 ? [{ kind: 'makeDirectory' }] : [];
  const total = CHOICES.reduce((sum, { weights }) => sum + weights[mood], 0);
  while (steps.length < count) {
    let ticket = prng.below(total);
    const choice = CHOICES.find(({ weights }) => {
      ticket -= weights[mood];
      return ticket < 0;
    }) as Choice;
    steps.push(...[choice.make(prng)].flat());
  }
  return steps;
}

/**
 * `calm` mostly writes and syncs; `restless` rotates, reopens and dies all the time; `faulty` meets
 * I/O errors; `merging` compacts whatever there is, and dies in between.
 */
const MOODS = ['calm', 'restless', 'faulty', 'merging'] as const;
type Mood = (typeof MOODS)[number];

interface Choice {
  /** How often, among all. */
  readonly weights: Readonly<Record<Mood, number>>;
  readonly make: (prng: Prng) => Step | Step[];
}

function choice(
  calm: number,
  restless: number,
  faulty: number,
  merging: number,
  make: Choice['make'],
): Choice {
  return { weights: { calm, restless, faulty, merging }, make };
}

/** An opening makes some twenty calls that change the disk, an append one. */
const MOST_CALLS = 24;

const CHOICES: readonly Choice[] = [
  choice(36, 22, 27, 24, (prng) => planWrite(prng, 'put')),
  choice(9, 6, 8, 8, (prng) => planWrite(prng, 'delete')),
  choice(9, 6, 9, 16, (prng) => ({ kind: 'batch', operations: planBatch(prng) })),
  choice(3, 1, 3, 3, (prng) => ({ kind: 'read', key: prng.below(KEYS) })),
  choice(4, 14, 6, 2, (prng) => ({ kind: 'burst', steps: planBurst(prng) })),
  choice(1, 2, 2, 14, planStepsBesideMerge),
  choice(8, 5, 6, 6, () => ({ kind: 'sync' })),
  choice(5, 6, 6, 2, () => ({ kind: 'beginSync' })),
  choice(7, 20, 16, 12, () => ({ kind: 'rotate' })),
  choice(9, 6, 6, 3, () => ({ kind: 'turn' })),
  choice(2, 2, 2, 6, (prng) => ({ kind: 'pause', turns: 1 + prng.below(3) })),
  choice(4, 6, 3, 3, () => ({ kind: 'reopen' })),
  choice(2, 1, 1, 0, () => ({ kind: 'compactTo' })),
  choice(3, 6, 4, 12, (prng) => ({ kind: 'compact', deadRatio: planDeadRatio(prng) })),
  choice(2, 4, 2, 4, (prng) => ({ kind: 'beginCompact', deadRatio: planDeadRatio(prng) })),
  choice(2, 1, 1, 0, () => ({ kind: 'exportJsonl' })),
  choice(2, 2, 1, 1, () => ({ kind: 'verify' })),
  choice(2, 2, 1, 1, () => ({ kind: 'backup' })),
  choice(3, 9, 3, 3, () => ({ kind: 'die' })),
  choice(3, 11, 3, 8, (prng) => ({ kind: 'dieIn', calls: 1 + prng.below(MOST_CALLS) })),
  choice(0, 0, 8, 0, (prng) => ({ kind: 'failIn', calls: 1 + prng.below(3) })),
  choice(0, 0, 4, 2, (prng) => ({ kind: 'failIn', calls: 1 + prng.below(MOST_CALLS) })),
  choice(0, 0, 8, 2, (prng) => ({ kind: 'failWriteback', pick: prng.below(64) })),
];

function planWrite(prng: Prng, kind: HistoryOperation['kind']): ImmediateStep {
  return { kind: 'write', operation: { key: prng.below(KEYS), kind } };
}

function planDeadRatio(prng: Prng): number {
  return prng.below(3) * 0.3;
}

function planBatch(prng: Prng): HistoryOperation[] {
  return Array.from({ length: 1 + prng.below(5) }, () => ({
    key: prng.below(KEYS),
    kind: prng.below(5) === 0 ? 'delete' : 'put',
  }));
}

function planBurst(prng: Prng): (ImmediateStep | Tick)[] {
  return Array.from({ length: 2 + prng.below(7) }, (): ImmediateStep | Tick => {
    const ticket = prng.below(10);
    if (ticket < 2) return planWrite(prng, 'put');
    return ticket < 5
      ? { kind: 'rotate' }
      : ticket < 7
        ? { kind: 'beginSync' }
        : { kind: 'tick', count: 1 };
  });
}

/** A merge of small segments takes about so many microtasks. */
const MERGE_MICROTASKS = 90;

/** Turns of the event loop in which a segment or two are sealed. */
const SEALING_TURNS = 3;

/**
 * A merge of segments that are sealed already begins at once. It gets to any of its places; there,
 * steps come in between that let it go on. (One that has to wait for a seal begins and ends in one
 * turn of the event loop, beside nothing.)
 */
function planStepsBesideMerge(prng: Prng): Step[] {
  const beside = Array.from({ length: prng.below(5) }, (): (ImmediateStep | Tick)[] => {
    const ticket = prng.below(10);
    const step: ImmediateStep =
      ticket < 6
        ? planWrite(prng, ticket < 4 ? 'put' : 'delete')
        : { kind: ticket < 8 ? 'rotate' : 'beginSync' };
    return [step, { kind: 'tick', count: 1 + prng.below(12) }];
  });
  const begin: ImmediateStep = { kind: 'beginCompact', deadRatio: 0 };
  const goOn: Tick = { kind: 'tick', count: 1 + prng.below(MERGE_MICROTASKS) };
  return [
    { kind: 'batch', operations: planBatch(prng) },
    { kind: 'rotate' },
    { kind: 'pause', turns: SEALING_TURNS },
    { kind: 'burst', steps: [begin, goOn, ...beside.flat()] },
  ];
}

/** A step as a report shows it. */
export function describeStep(step: Step | Tick): string {
  const name = ({ kind, key }: HistoryOperation) => `${kind} key-${key}`;
  switch (step.kind) {
    case 'write':
      return name(step.operation);
    case 'batch':
      return `batch (${step.operations.map(name).join(', ')})`;
    case 'read':
      return `get key-${step.key}`;
    case 'burst':
      return `in one go: ${step.steps.map(describeStep).join('; ')}`;
    case 'beginSync':
      return 'sync, not awaited';
    case 'compact':
      return `compact what is garbage by ${step.deadRatio}`;
    case 'beginCompact':
      return `compact what is garbage by ${step.deadRatio}, not awaited`;
    case 'tick':
      return `tick ${step.count}`;
    case 'turn':
      return 'await a microtask';
    case 'pause':
      return `await ${step.turns} turns of the event loop`;
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
