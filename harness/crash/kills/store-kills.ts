import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { mix32, Prng } from '../../prng.ts';
import type { Outcome } from '../../workloads/hostile-values.ts';
import { runTask, type TaskEnd } from '../../workloads/store-process.ts';
import type { Verdict } from '../promises/store-judge.ts';
import {
  CHANGING_CALLS,
  COUNTED_STEPS,
  countCalls,
  ONE_THREAD,
  reasonWithoutStrace,
  type StoreCalls,
} from './store-calls.ts';
import type { StoreFinding } from './store-finding.ts';
import { howItEnded, type Life, lifeOf, lookAt, type Round } from './store-life.ts';
import { MOST_OPENING_MS, type StoreSubject } from './store-subject.ts';

export interface StoreKillOptions {
  readonly subject: StoreSubject;
  /** Where the stores lie; those with findings stay there. */
  readonly directory: string;
  /** An integer from 0 to 2^32 - 1. */
  readonly seed: number;
  /** Ends after so many kills, at least one, or after so many seconds. */
  readonly kills?: number;
  readonly seconds?: number;
  /** Stores at a time. */
  readonly parallel: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (report: StoreKillReport) => void;
}

export interface StoreKillReport {
  readonly kills: number;
  readonly killsPerMinute: number;
  /** How many kills had their moment decided by what: `time`, `acknowledgement`, `call`. */
  readonly killsByKind: Readonly<Record<KillMoment['kind'], number>>;
  readonly killsWhileOpening: number;
  readonly stepsAcknowledged: number;
  readonly syncsAcknowledged: number;
  readonly slowestOpenMs: number;
  /** Why no kill came in a chosen call; undefined where some did. */
  readonly skipped: string | undefined;
  readonly findings: readonly StoreFinding[];
}

/** When a process dies. */
type KillMoment =
  | { readonly kind: 'time'; readonly delayMs: number }
  /** Right after it has told so many steps. */
  | { readonly kind: 'acknowledgement'; readonly steps: number }
  /** When one of its threads begins its n-th call of a kind that changes the disk. */
  | { readonly kind: 'call'; readonly call: string; readonly number: number };

/** Fewer say nothing. */
export const LEAST_KILLS = 12;
const MOST_FINDINGS = 3;
const KILLS_PER_STORE = 8;
const DELAYS_MS = [5, 60, 300] as const;
const STEPS = [1, 8, 60, 200] as const;

/** Kills processes that have the store open, and holds what they leave against what they told. */
export async function runStoreKills(options: StoreKillOptions): Promise<StoreKillReport> {
  const campaign = new StoreKills(options);
  await campaign.run();
  return campaign.report();
}

class StoreKills {
  private readonly options: StoreKillOptions;
  private readonly skipped = reasonWithoutStrace();
  private readonly startMs = performance.now();
  private readonly findings: StoreFinding[] = [];
  private readonly byKind = { time: 0, acknowledgement: 0, call: 0 };
  /** Kinds of call that change the disk, as the store makes them in a workload. */
  private calls: readonly StoreCalls[] = [];
  private nextStore = 0;
  private started = 0;
  private kills = 0;
  private whileOpening = 0;
  private steps = 0;
  private syncs = 0;
  private slowestOpenMs = 0;

  constructor(options: StoreKillOptions) {
    this.options = options;
  }

  async run(): Promise<void> {
    const { subject, directory, seed } = this.options;
    mkdirSync(directory, { recursive: true });
    if (this.skipped === undefined) {
      const { calls } = await countCalls(subject, join(directory, 'counted'), seed);
      this.calls = calls.filter(({ call }) => CHANGING_CALLS.some((name) => name === call));
    }
    const lanes = Array.from({ length: this.options.parallel }, async () => {
      while (!this.isOver()) await this.runStore(this.nextStore++);
    });
    await Promise.all(lanes);
  }

  report(): StoreKillReport {
    return {
      kills: this.kills,
      killsPerMinute: (this.kills * 60_000) / (performance.now() - this.startMs),
      killsByKind: this.byKind,
      killsWhileOpening: this.whileOpening,
      stepsAcknowledged: this.steps,
      syncsAcknowledged: this.syncs,
      slowestOpenMs: this.slowestOpenMs,
      skipped: this.skipped,
      findings: this.findings,
    };
  }

  private isOver(): boolean {
    const { kills = Number.POSITIVE_INFINITY, seconds = Number.POSITIVE_INFINITY } = this.options;
    if (this.options.signal?.aborted || this.findings.length >= MOST_FINDINGS) return true;
    return this.started >= kills || performance.now() - this.startMs >= seconds * 1000;
  }

  /** One store, killed several times; the next process finds what the last one left. */
  private async runStore(store: number): Promise<void> {
    const { subject, directory } = this.options;
    const place = join(directory, `store-${store}`);
    rmSync(place, { recursive: true, force: true });
    mkdirSync(place);
    const seed = mix32((this.options.seed + mix32(store)) >>> 0);
    const prng = Prng.seeded(seed);
    let before: ReadonlyMap<number, Outcome> = new Map();
    for (let round = 0; round < KILLS_PER_STORE && !this.isOver(); round++) {
      this.started++;
      const moment = this.chooseMoment(prng);
      const at: Round = { seed, round, before };
      const end = await runUntil(subject, place, at, moment);
      const life = lifeOf(subject, at, end.lines, 'kill');
      const early = life.verdict ?? unplanned(end);
      const look = early === undefined ? await lookAt(subject, place, at, life) : undefined;
      const verdict = early ?? look?.verdict;
      if (isKilled(end)) this.count(moment, life, look?.openMs ?? 0);
      if (verdict !== undefined) {
        this.findings.push(this.findingOf(verdict, store, at, moment, life, place));
        return;
      }
      before = look?.holds ?? new Map();
    }
    rmSync(place, { recursive: true, force: true });
  }

  private chooseMoment(prng: Prng): KillMoment {
    const below = (limits: readonly number[]) =>
      1 + prng.below(limits[prng.below(limits.length)] as number);
    switch (prng.below(this.calls.length > 0 ? 4 : 2)) {
      case 0:
        return { kind: 'time', delayMs: below(DELAYS_MS) };
      case 1:
        return { kind: 'acknowledgement', steps: below(STEPS) };
      default: {
        const { call, count } = this.chooseCall(prng);
        return { kind: 'call', call, number: 1 + prng.below(count) };
      }
    }
  }

  /** Half the time any kind of call, half the time any call: rare ones come, and long runs. */
  private chooseCall(prng: Prng): StoreCalls {
    if (prng.below(2) === 0) return this.calls[prng.below(this.calls.length)] as StoreCalls;
    const each = this.calls.flatMap((calls) => Array<StoreCalls>(calls.count).fill(calls));
    return each[prng.below(each.length)] as StoreCalls;
  }

  private count({ kind }: KillMoment, life: Life, openMs: number): void {
    this.kills++;
    this.byKind[kind]++;
    if (!life.opened) this.whileOpening++;
    this.steps += life.steps;
    this.syncs += life.syncs;
    this.slowestOpenMs = Math.max(this.slowestOpenMs, openMs);
    this.options.onProgress?.(this.report());
  }

  private findingOf(
    { promise, message }: Verdict,
    store: number,
    { round }: Round,
    moment: KillMoment,
    life: Life,
    directory: string,
  ): StoreFinding {
    return {
      promise,
      message,
      story: [
        `Store ${store} of seed ${this.options.seed}, process ${round + 1}: it told ${life.steps} steps and ${life.syncs} syncs, and was killed ${describeMoment(moment)}.`,
        round === 0
          ? 'The directory was empty at first.'
          : `${round} processes before it had been killed, and what they left was right.`,
        message,
      ],
      directory,
      reproduce: `${this.options.subject.command} --part kills --seed ${this.options.seed}`,
    };
  }
}

/** Steps of a process whose moment does not come: it closes the store, and was not killed. */
const MOST_STEPS = 2 * Math.max(COUNTED_STEPS, ...STEPS);

async function runUntil(
  { adapter, shape, contract }: StoreSubject,
  directory: string,
  { seed, round, before }: Round,
  moment: KillMoment,
): Promise<TaskEnd> {
  const task = {
    task: 'work',
    adapter,
    directory,
    seed,
    round,
    shape,
    ordered: contract.ordered,
    before: [...before],
    steps: MOST_STEPS,
    goesOn: false,
  } as const;
  let told = 0;
  let timer: NodeJS.Timeout | undefined;
  try {
    return await runTask(task, {
      mostMs: 2 * MOST_OPENING_MS,
      ...(moment.kind === 'call'
        ? { wrapper: killingStrace(moment), environment: ONE_THREAD }
        : {}),
      onLine: (line, _child, kill) => {
        if (moment.kind === 'time' && line === 'opening') timer = setTimeout(kill, moment.delayMs);
        if (!line.startsWith('ok ')) return;
        told++;
        if (moment.kind === 'acknowledgement' && told >= moment.steps) kill();
      },
    });
  } finally {
    clearTimeout(timer);
  }
}

function killingStrace({ call, number }: KillMoment & { kind: 'call' }): string[] {
  const words = ['-f', '-qq', '--seccomp-bpf', '-o', '/dev/null', '-e', `trace=${call}`];
  return ['strace', ...words, '-e', `inject=${call}:signal=KILL:when=${number}`];
}

/** It ended, and not because it was killed: by itself, or it hung. */
function unplanned(end: TaskEnd): Verdict | undefined {
  if (end.hung) return { promise: 'alive', message: `without a fault ${howItEnded(end)}` };
  if (isKilled(end)) return undefined;
  // All its steps were over first.
  if (end.lines.includes('closed')) return undefined;
  return { promise: 'alive', message: `without a fault ${howItEnded(end)}` };
}

/** strace ends as the process under it has ended. */
function isKilled({ signal, code, hung }: TaskEnd): boolean {
  return !hung && (signal === 'SIGKILL' || code === 137);
}

function describeMoment(moment: KillMoment): string {
  switch (moment.kind) {
    case 'time':
      return `${moment.delayMs} ms after it began to open`;
    case 'acknowledgement':
      return `when it had told ${moment.steps} steps`;
    case 'call':
      return `as a thread began its ${moment.call} number ${moment.number}`;
  }
}
