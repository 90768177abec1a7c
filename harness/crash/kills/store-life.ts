import type { StoreContract } from '../../contract.ts';
import { HostileValues, type Outcome } from '../../workloads/hostile-values.ts';
import {
  type LookTask,
  runTask,
  type TaskEnd,
  type TaskOptions,
} from '../../workloads/store-process.ts';
import type { WorkHistory, WriteGroup } from '../../workloads/work-history.ts';
import { KEY_COUNT, type WorkStep, workSteps, writesOf } from '../../workloads/work-steps.ts';
import { judgeState, type Verdict } from '../promises/store-judge.ts';
import type { StorePromise } from '../promises/store-promises.ts';
import { MOST_OPENING_MS, mainLine, type StoreSubject } from './store-subject.ts';

/** One round of a workload on a store. */
export interface Round {
  /** The seed of the workload, and of all values in the store. */
  readonly seed: number;
  readonly round: number;
  /** What the store held when it began. */
  readonly before: ReadonlyMap<number, Outcome>;
}

/** What a process was told to do with a store, and how far it came. */
export interface Life {
  readonly history: WorkHistory;
  /** Groups of writes, from the first, that the contract says are there after the crash. */
  readonly required: number;
  readonly opened: boolean;
  /** Steps that ended, failed ones included. */
  readonly steps: number;
  readonly syncs: number;
  readonly failures: number;
  /** What the process itself found wrong. */
  readonly verdict: Verdict | undefined;
}

/** Reads the lines that it told: `ok N`, `failed N MESSAGE`, `broken PROMISE MESSAGE`, `closed`. */
export function lifeOf(
  { contract, shape }: StoreSubject,
  { seed, round, before }: Round,
  lines: readonly string[],
  survives: 'kill' | 'power',
): Life {
  const values = new HostileValues(seed, KEY_COUNT, shape);
  const groups: WriteGroup[] = [];
  const steps = workSteps(seed, round, shape);
  const take = (step: WorkStep, number: number, end: WriteGroup['end']) => {
    const writes = writesOf(step).map(({ key, version }) => ({
      key,
      outcome: values.outcomeOf(key, version),
    }));
    if (writes.length > 0) groups.push({ step: number, writes, end });
  };
  let told = 0;
  let required = 0;
  let syncs = 0;
  let failures = 0;
  for (const line of lines) {
    const [, how, number] = /^(ok|failed) (\d+)/.exec(line) ?? [];
    if (how === undefined) {
      if (line === 'closed' && coversAll('reopen', contract, survives)) required = groups.length;
      continue;
    }
    if (Number(number) !== told) break;
    const step = steps.next().value;
    take(step, told++, how === 'ok' ? 'done' : 'failed');
    if (how === 'failed') failures++;
    else if (coversAll(step.kind, contract, survives)) required = groups.length;
    if (how === 'ok' && step.kind === 'sync') syncs++;
  }
  const opened = lines.includes('opened');
  const isOver = lines.includes('closed') || lines.includes('left closed');
  if (opened && !isOver) take(steps.next().value, told, 'begun');
  return {
    history: { before, groups },
    required,
    opened,
    steps: told,
    syncs,
    failures,
    verdict: brokenIn(lines),
  };
}

/** Whether all writes before a step of this kind survive once it has ended. */
function coversAll(
  kind: WorkStep['kind'],
  { put, sync }: StoreContract,
  level: 'kill' | 'power',
): boolean {
  if (survives(put, level)) return kind === 'write' || kind === 'iterate';
  if (kind === 'sync') return survives(sync ?? 'nothing', level);
  // What a closed store has lost no kill has taken from it.
  return kind === 'reopen' && level === 'kill' && sync !== undefined;
}

function survives(promised: StoreContract['put'], level: 'kill' | 'power'): boolean {
  return promised === 'power' || promised === level;
}

/** What a process that was told to work or to look has found wrong itself. */
export function brokenIn(lines: readonly string[]): Verdict | undefined {
  const [, promise, message] =
    lines.map((line) => /^broken (\S+) (.*)$/.exec(line)).find((found) => found !== null) ?? [];
  if (promise === undefined) return undefined;
  return { promise: promise as StorePromise, message: JSON.parse(message as string) as string };
}

/** What a store shows that is opened after a crash. */
export interface Look {
  readonly verdict: Verdict | undefined;
  /** What keys held at the end, one more put included; undefined when it did not come so far. */
  readonly holds: ReadonlyMap<number, Outcome> | undefined;
  readonly openMs: number;
}

/** Versions of the puts of looks, out of reach of those of the workloads. */
const LOOK_VERSIONS = 2 ** 31;

/** Opens the store in a process of its own, and holds it against its life. Writes to it. */
export async function lookAt(
  subject: StoreSubject,
  directory: string,
  { seed, round }: Round,
  { history, required }: Life,
  run: (task: LookTask, options: TaskOptions) => Promise<TaskEnd> = runTask,
): Promise<Look> {
  const { adapter, contract, shape } = subject;
  const startMs = performance.now();
  let openMs = 0;
  const end = await run(
    {
      task: 'look',
      adapter,
      directory,
      seed,
      shape,
      ordered: contract.ordered,
      version: LOOK_VERSIONS + round,
    },
    {
      mostMs: MOST_OPENING_MS,
      onLine: (line) => {
        if (line === 'opened') openMs = performance.now() - startMs;
      },
    },
  );
  const shown = end.lines.find((line) => line.startsWith('holds '))?.slice('holds '.length);
  const values = new HostileValues(seed, KEY_COUNT, shape);
  const nameOf = (key: number) => values.keyName(key);
  if (shown === undefined)
    return { verdict: brokenIn(end.lines) ?? unopened(end), holds: undefined, openMs };
  const observed = new Map(JSON.parse(shown) as [number, Outcome][]);
  const verdict =
    judgeState(history, required, observed, contract.history, nameOf) ??
    brokenIn(end.lines) ??
    (end.lines.some((line) => line.startsWith('put ')) ? undefined : unusable(end));
  const key = shape.keys.at(-1) as number;
  const holds = new Map(observed).set(key, values.outcomeOf(key, LOOK_VERSIONS + round));
  return { verdict, holds, openMs };
}

function unopened(end: TaskEnd): Verdict {
  return {
    promise: 'opens',
    message: `after the crash the store does not open: ${howItEnded(end)}`,
  };
}

function unusable(end: TaskEnd): Verdict {
  return {
    promise: 'usable',
    message: `after the crash the store opens, and a put, a sync and a reopening do not end: ${howItEnded(end)}`,
  };
}

/** Says in words how a process ended. */
export function howItEnded({ hung, code, signal, errors }: TaskEnd): string {
  if (hung) return `the process did not end within ${MOST_OPENING_MS / 1000} seconds`;
  return `the process ended with ${code ?? signal}${errors === '' ? '' : `: ${mainLine(errors)}`}`;
}
