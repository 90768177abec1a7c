import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { quoteWord } from '../../invocation.ts';
import { mix32, Prng } from '../../prng.ts';
import {
  runProcess,
  type TaskEnd,
  taskCommand,
  type WorkTask,
} from '../../workloads/store-process.ts';
import {
  COUNTED_STEPS,
  countCalls,
  ONE_THREAD,
  pathFilter,
  reasonWithoutStrace,
  type StoreCallsReport,
} from '../kills/store-calls.ts';
import type { StoreFinding } from '../kills/store-finding.ts';
import { howItEnded, type Look, lifeOf, lookAt, type Round } from '../kills/store-life.ts';
import { MOST_OPENING_MS, type StoreSubject } from '../kills/store-subject.ts';
import type { Verdict } from '../promises/store-judge.ts';
import { limitDescriptors } from './descriptor-limit.ts';
import { type ErrorName, faultsOf, type InjectedFault } from './injected-fault.ts';

export interface StoreFaultOptions {
  readonly subject: StoreSubject;
  /** Where the stores lie; those with findings stay there. */
  readonly directory: string;
  /** An integer from 0 to 2^32 - 1. */
  readonly seed: number;
  readonly seconds: number;
  /** Stores at a time. */
  readonly parallel: number;
  readonly signal?: AbortSignal;
  /** Runs only the fault or limit of this name, which a finding tells. */
  readonly only?: string;
  readonly onProgress?: (report: StoreFaultReport) => void;
}

export interface StoreFaultReport {
  /** Kinds of call that the store makes on its files, with how often in the workload. */
  readonly calls: StoreCallsReport['calls'];
  /** Faults that there are to inject: each error of each call of each kind. */
  readonly faults: number;
  /** How many of these were injected and met a call. */
  readonly met: number;
  /** Injected, and no call came any more. */
  readonly missed: number;
  /** Full disks, limits of descriptors and of file sizes that a store came to. */
  readonly limits: number;
  /** Operations that failed, as they should. */
  readonly failedOperations: number;
  readonly byError: Readonly<Partial<Record<ErrorName, number>>>;
  /** Parts that cannot run here, with the reason. */
  readonly skipped: readonly string[];
  readonly findings: readonly StoreFinding[];
}

/** Fewer faults that met a call say nothing. */
export const LEAST_FAULTS = 20;
const MOST_FINDINGS = 3;

/** What the system refuses, beside single calls. */
type Limit =
  | { readonly kind: 'disk'; readonly kib: number }
  | { readonly kind: 'file'; readonly bytes: number }
  | { readonly kind: 'descriptors'; readonly more: number };

const LIMITS: readonly Limit[] = [
  ...[300, 40, 4_000].map((kib) => ({ kind: 'disk', kib }) as const),
  ...[5_000, 20_000, 70_000, 0].map((bytes) => ({ kind: 'file', bytes }) as const),
  ...[0, 1, 3].map((more) => ({ kind: 'descriptors', more }) as const),
];

/** One case: what fails, in words, how the process is started, and what looks at what it leaves. */
interface FaultCase {
  readonly name: string;
  readonly fault: InjectedFault | undefined;
  readonly limit: Limit | undefined;
}

/** Runs the workload under one fault after the other, and looks at what each leaves. */
export async function runStoreFaults(options: StoreFaultOptions): Promise<StoreFaultReport> {
  const campaign = new StoreFaults(options);
  await campaign.run();
  return campaign.report();
}

class StoreFaults {
  private readonly options: StoreFaultOptions;
  private readonly startMs = performance.now();
  private readonly findings: StoreFinding[] = [];
  private readonly skipped: string[] = [];
  private readonly byError: Partial<Record<ErrorName, number>> = {};
  private counted: StoreCallsReport = { calls: [], paths: [] };
  private faults = 0;
  private met = 0;
  private missed = 0;
  private limits = 0;
  private failedOperations = 0;
  private number = 0;

  constructor(options: StoreFaultOptions) {
    this.options = options;
  }

  async run(): Promise<void> {
    const { subject, directory, seed, parallel } = this.options;
    mkdirSync(directory, { recursive: true });
    const withoutStrace = reasonWithoutStrace();
    if (withoutStrace !== undefined) this.skipped.push(`failing system calls: ${withoutStrace}`);
    else this.counted = await countCalls(subject, join(directory, 'counted'), seed);
    const injected = inTurn(faultsOf(this.counted.calls), Prng.seeded(mix32(seed ^ 0x6661756c)));
    this.faults = injected.length;
    const cases = interleave(
      LIMITS.filter((limit) => this.canLimit(limit)).map(
        (limit): FaultCase => ({ name: nameOfLimit(limit), fault: undefined, limit }),
      ),
      injected.map((fault): FaultCase => ({ name: fault.name, fault, limit: undefined })),
    ).filter(({ name }) => name === (this.options.only ?? name));
    const lanes = Array.from({ length: parallel }, async () => {
      for (let one = cases.shift(); one !== undefined && !this.isOver(); one = cases.shift())
        await this.runCase(one);
    });
    await Promise.all(lanes);
  }

  report(): StoreFaultReport {
    return {
      calls: this.counted.calls,
      faults: this.faults,
      met: this.met,
      missed: this.missed,
      limits: this.limits,
      failedOperations: this.failedOperations,
      byError: this.byError,
      skipped: this.skipped,
      findings: this.findings,
    };
  }

  private isOver(): boolean {
    const { signal, seconds } = this.options;
    if (signal?.aborted || this.findings.length >= MOST_FINDINGS) return true;
    return performance.now() - this.startMs >= seconds * 1000;
  }

  private canLimit({ kind }: Limit): boolean {
    const tool = kind === 'disk' ? 'unshare' : 'prlimit';
    const words = kind === 'disk' ? ['-m', 'sh', '-c', 'mount -t tmpfs tmpfs /mnt'] : ['true'];
    const { error, status, stderr } = spawnSync(tool, words, { encoding: 'utf8' });
    if (error === undefined && status === 0) return true;
    const what = kind === 'disk' ? 'full disks' : 'limits of descriptors and file sizes';
    const told = `${what}: ${error?.message ?? stderr.trim()}`;
    if (!this.skipped.includes(told)) this.skipped.push(told);
    return false;
  }

  private async runCase(one: FaultCase): Promise<void> {
    const { subject, seed } = this.options;
    const directory = join(this.options.directory, `case-${this.number++}`);
    rmSync(directory, { recursive: true, force: true });
    mkdirSync(directory);
    const place = realpathSync(directory);
    const at: Round = { seed, round: 0, before: new Map() };
    const { end, hits, look } = await this.runUnder(one, place, at);
    const life = lifeOf(subject, at, end.lines, 'kill');
    if (!this.count(one, hits, life.failures + (life.opened ? 0 : 1))) {
      rmSync(directory, { recursive: true, force: true });
      return;
    }
    const verdict = life.verdict ?? unplanned(end, one.name) ?? (await look(life)).verdict;
    if (verdict === undefined) {
      rmSync(directory, { recursive: true, force: true });
    } else {
      this.findings.push({
        ...verdict,
        message: `${one.name}: ${verdict.message}`,
        story: [
          `The workload of seed ${seed} ran on an empty directory, and met this: ${one.name}.`,
          `It told ${life.steps} steps and ${life.syncs} syncs; ${life.failures} steps failed.`,
          ...end.lines.filter((line) => line.startsWith('failed ')).slice(0, 3),
          verdict.message,
        ],
        directory: one.limit?.kind === 'disk' ? undefined : directory,
        reproduce: `${subject.command} --part faults --seed ${seed} --only-fault ${quoteWord(one.name)}`,
      });
    }
    this.options.onProgress?.(this.report());
  }

  /** Whether it was met; otherwise it says nothing. */
  private count({ fault, limit }: FaultCase, hits: number, failures: number): boolean {
    if (fault !== undefined && hits === 0) {
      this.missed++;
      return false;
    }
    this.failedOperations += failures;
    if (fault !== undefined) {
      this.met++;
      this.byError[fault.error] = (this.byError[fault.error] ?? 0) + 1;
    } else if (failures > 0) {
      this.limits++;
    }
    return limit === undefined || failures > 0;
  }

  private async runUnder(
    { fault, limit }: FaultCase,
    place: string,
    at: Round,
  ): Promise<{
    end: TaskEnd;
    hits: number;
    look: (life: ReturnType<typeof lifeOf>) => Promise<Look>;
  }> {
    const { subject } = this.options;
    const options = { mostMs: 2 * MOST_OPENING_MS, environment: ONE_THREAD };
    const task = this.taskIn(place, limit?.kind === 'descriptors');
    const look = (life: ReturnType<typeof lifeOf>) => lookAt(subject, place, at, life);
    if (fault !== undefined) {
      const log = `${place}.strace`;
      const filter = pathFilter(place, this.counted.paths);
      const words = ['-f', '-qq', '-s', '0', '--seccomp-bpf', '-o', log, ...filter];
      const wrapper = ['strace', ...words, '-e', `trace=${fault.call}`, '-e', fault.inject];
      const end = await runProcess([...wrapper, ...taskCommand(task)], options);
      const text = existsSync(log) ? readFileSync(log, 'latin1') : '';
      rmSync(log, { force: true });
      return { end, hits: text.split('(INJECTED)').length - 1, look };
    }
    switch (limit?.kind) {
      case 'disk':
        return this.runOnDisk(limit.kib, place, at);
      case 'file': {
        const wrapper = ['prlimit', `--fsize=${limit.bytes}`];
        const end = await runProcess([...wrapper, ...taskCommand(task)], options);
        return { end, hits: 0, look };
      }
      default: {
        const end = await runProcess(taskCommand(task), {
          ...options,
          onLine: (line, child) => {
            if (line !== 'opened') return;
            limitDescriptors(child.pid as number, limit?.more ?? 0);
            child.stdin?.end('\n');
          },
        });
        return { end, hits: 0, look };
      }
    }
  }

  /** The mount is gone with its namespace, so what it leaves is looked at from inside. */
  private async runOnDisk(kib: number, place: string, at: Round) {
    const { subject } = this.options;
    const marker = 'between the two processes';
    const script = `
      mount -t tmpfs -o size=${kib}k tmpfs "$1" || exit 9
      mkdir "$1/store"
      "$2" "$3" "$4"
      echo "${marker} $?"
      mount -o remount,size=${kib * 8 + 4_000}k tmpfs "$1" || exit 9
      "$2" "$3" "$5"`;
    const directory = join(place, 'store');
    const [node, program, first] = taskCommand({ ...this.taskIn(directory, false) });
    const { adapter, contract, shape } = subject;
    const second = taskCommand({
      task: 'look',
      adapter,
      directory,
      seed: at.seed,
      shape,
      ordered: contract.ordered,
      version: 2 ** 31,
    })[2];
    const words = [place, node, program, first, second] as string[];
    const whole = await runProcess(['unshare', '-m', 'sh', '-c', script, 'sh', ...words], {
      mostMs: 3 * MOST_OPENING_MS,
      environment: ONE_THREAD,
    });
    const index = whole.lines.findIndex((line) => line.startsWith(marker));
    const code = Number(whole.lines[index]?.slice(marker.length));
    const end = { ...whole, lines: whole.lines.slice(0, index), code };
    const rest = { ...whole, lines: whole.lines.slice(index + 1) };
    return {
      end,
      hits: 0,
      look: async (life: ReturnType<typeof lifeOf>) =>
        lookAt(subject, directory, at, life, () => Promise.resolve(rest)),
    };
  }

  private taskIn(directory: string, waits: boolean): WorkTask {
    const { subject, seed } = this.options;
    return {
      task: 'work',
      adapter: subject.adapter,
      directory,
      seed,
      round: 0,
      shape: subject.shape,
      ordered: subject.contract.ordered,
      before: [],
      steps: COUNTED_STEPS,
      goesOn: true,
      waits,
    };
  }
}

/** A fault may fail whatever it likes, but a process that has opened the store goes on. */
function unplanned(end: TaskEnd, what: string): Verdict | undefined {
  if (end.hung) return { promise: 'alive', message: `under ${what} ${howItEnded(end)}` };
  if (end.code === 0) return undefined;
  // An opening that is refused ends the process, as it should.
  if (!end.lines.includes('opened') && end.signal === null && end.code === 1) return undefined;
  return { promise: 'alive', message: `under ${what} ${howItEnded(end)}` };
}

function nameOfLimit(limit: Limit): string {
  switch (limit.kind) {
    case 'disk':
      return `a disk of ${limit.kib} KiB`;
    case 'file':
      return `files of at most ${limit.bytes} bytes`;
    case 'descriptors':
      return `${limit.more} more descriptors`;
  }
}

/**
 * One of each error of each kind of call, then another of each: no budget leaves a kind out.
 */
function inTurn(faults: readonly InjectedFault[], prng: Prng): InjectedFault[] {
  const kinds = new Map<string, InjectedFault[]>();
  for (const fault of faults) {
    const kind = `${fault.call} ${fault.error}`;
    kinds.set(kind, [...(kinds.get(kind) ?? []), fault]);
  }
  const lists = [...kinds.values()];
  for (const list of lists) shuffle(list, prng);
  shuffle(lists, prng);
  const longest = Math.max(0, ...lists.map(({ length }) => length));
  return Array.from({ length: longest }, (_, turn) =>
    lists.flatMap((list) => list[turn] ?? []),
  ).flat();
}

function shuffle<T>(list: T[], prng: Prng): void {
  for (let index = list.length - 1; index > 0; index--) {
    const other = prng.below(index + 1);
    [list[index], list[other]] = [list[other] as T, list[index] as T];
  }
}

/** One of `some` behind every third of `many`, until both have come to their ends. */
function interleave<T>(some: readonly T[], many: readonly T[]): T[] {
  const merged: T[] = [];
  let next = 0;
  for (const [index, one] of many.entries()) {
    if (index % 3 === 0 && next < some.length) merged.push(some[next++] as T);
    merged.push(one);
  }
  return [...merged, ...some.slice(next)];
}
