import { cpSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { DiskImage } from '../../file-systems/disk-image.ts';
import { mix32, Prng } from '../../prng.ts';
import { CheckerPool } from '../cuts/checker-pool.ts';
import {
  type CutCounts,
  type CutFinding,
  diskAt,
  noCutCounts,
  searchCuts,
} from '../cuts/cut-search.ts';
import type { CutSubject, Moment } from '../cuts/cut-subject.ts';
import { StoreSubject as StoreCutSubject } from '../cuts/store-subject.ts';
import { ONE_THREAD } from '../kills/store-calls.ts';
import type { StoreFinding } from '../kills/store-finding.ts';
import type { StoreSubject } from '../kills/store-subject.ts';
import type { StorePromise } from '../promises/store-promises.ts';
import {
  type ProgramRecord,
  scratchDirectory,
  whyNoRecording,
  writeDirectory,
} from '../recording/record-program.ts';
import { cutShape, cutSteps, type NumberedStep } from '../recording/record-steps.ts';
import { recordStore } from '../recording/record-store.ts';
import type { Recording } from '../recording/recording.ts';
import { shrinkCut } from '../story/cut-shrink.ts';
import { missingSyncs } from '../story/missing-sync.ts';
import { tellStory } from '../story/story.ts';
import { shrinkSteps } from '../work/campaign-shrink.ts';

export interface StoreCutsOptions {
  readonly subject: StoreSubject;
  /** The place for the stores of findings. */
  readonly directory: string;
  readonly seed: number;
  readonly seconds: number;
  /** Images that are opened at a time. */
  readonly parallel: number;
  readonly signal?: AbortSignal;
  /** Runs only the workload of the seed, and of it only these steps. */
  readonly only?: { readonly steps: readonly number[] | undefined };
  readonly onProgress?: (report: StoreCutsReport) => void;
}

export interface StoreCutsReport {
  readonly findings: StoreFinding[];
  /** Why nothing was cut, in words. */
  readonly skipped: string | undefined;
  /** It writes through a memory map, and what else it does was recorded. */
  isMapped: boolean;
  /** What must be said of the images, in sentences. */
  readonly notes: readonly string[];
  readonly counts: CutCounts;
  workloads: number;
  operations: number;
  systemCalls: number;
  recordedMs: number;
  searchedMs: number;
  /** Distinct images, each opened once. */
  opened: number;
  /** Workloads in which one sync failed. */
  failedSyncs: number;
  /** Openings that were themselves recorded and cut. */
  nested: number;
}

const STEPS = 24;
const FATES_A_MOMENT = 24;
const RECORD_MS = 60_000;
const SHRINK_MS = 15_000;
const NESTED_A_WORKLOAD = 2;
const FAILING_SYNC_ONE_IN = 3;
/** More would only say the same. */
const MOST_FINDINGS = 4;
/** Fewer say nothing. */
export const LEAST_IMAGES = 40;

/** Records seeded workloads of a store, and cuts the power at every moment of them. */
export async function runStoreCuts(options: StoreCutsOptions): Promise<StoreCutsReport> {
  const skipped = whyNoRecording();
  const run = new StoreCuts(options, skipped);
  await run.run();
  return run.report;
}

class StoreCuts {
  readonly report: StoreCutsReport;
  private readonly options: StoreCutsOptions;
  private readonly pool: CheckerPool;
  private readonly scratch = scratchDirectory();
  private readonly notes = new Set<string>();
  private readonly endMs: number;
  private readonly found = new Set<string>();
  private isBlind = false;

  constructor(options: StoreCutsOptions, skipped: string | undefined) {
    this.options = options;
    this.pool = new CheckerPool(options.parallel);
    this.endMs = performance.now() + options.seconds * 1000;
    const { notes } = this;
    this.report = {
      findings: [],
      skipped,
      get notes() {
        return [...notes];
      },
      isMapped: false,
      counts: noCutCounts(),
      workloads: 0,
      operations: 0,
      systemCalls: 0,
      recordedMs: 0,
      searchedMs: 0,
      opened: 0,
      nested: 0,
      failedSyncs: 0,
    };
  }

  async run(): Promise<void> {
    const { seed, only } = this.options;
    try {
      if (this.report.skipped !== undefined) return;
      for (let index = 0; index === 0 || !this.isOver(); index++) {
        await this.workload((seed + index) % 2 ** 32, only?.steps);
        if (only !== undefined || this.report.findings.length >= MOST_FINDINGS) break;
        // What one record does not show no other does.
        if (this.isBlind) break;
      }
    } finally {
      this.pool.end();
      rmSync(this.scratch, { recursive: true, force: true });
    }
  }

  private isOver(): boolean {
    return (this.options.signal?.aborted ?? false) || performance.now() > this.endMs;
  }

  private shape() {
    const { contract, shape } = this.options.subject;
    return cutShape(contract, { syncs: shape.syncs, compacts: shape.compacts });
  }

  private async record(
    seed: number,
    stepCount: number,
    only: readonly number[] | undefined,
    first?: DiskImage,
    inject?: string,
  ): Promise<ProgramRecord> {
    const { subject, signal } = this.options;
    const task = {
      adapter: subject.adapter,
      directory: join(this.scratch, 'recorded'),
      seed,
      stepCount,
      shape: this.shape(),
      ...(only === undefined ? {} : { only }),
      ...(inject === undefined ? {} : { goesOn: true }),
    };
    const startMs = performance.now();
    const record = await recordStore(task, {
      timeoutMs: RECORD_MS,
      without: subject.volatileFiles,
      ...(signal === undefined ? {} : { signal }),
      ...(first === undefined ? {} : { first }),
      ...(inject === undefined ? {} : { inject, environment: ONE_THREAD }),
    });
    this.report.recordedMs += performance.now() - startMs;
    this.report.systemCalls += record.recording.calls;
    return record;
  }

  private cutSubject(seed: number): StoreCutSubject {
    const { subject } = this.options;
    return new StoreCutSubject({
      adapter: subject.adapter,
      seed,
      stepCount: STEPS,
      shape: this.shape(),
      contract: subject.contract,
      pool: this.pool,
    });
  }

  private async workload(seed: number, only: readonly number[] | undefined): Promise<void> {
    const record = await this.record(seed, STEPS, only);
    if (this.options.signal?.aborted) return;
    const { recording } = record;
    this.report.workloads++;
    this.report.operations += recording.marks.filter(({ text }) => text.startsWith('end')).length;
    for (const path of recording.mapped)
      this.notes.add(
        `${path.slice(1)} is written through a shared memory map, which no system call shows: only the images of a real disk (blocks) speak for it`,
      );
    for (const trouble of recording.troubles) this.notes.add(trouble);
    const failed = this.whyFailed(record);
    if (failed !== undefined) return this.fail(seed, failed);
    this.isBlind = recording.troubles.length > 0;
    this.report.isMapped = recording.mapped.length > 0 && !this.isBlind;
    if (this.isBlind) return;
    const subject = this.cutSubject(seed);
    const inject =
      seed % FAILING_SYNC_ONE_IN === 0
        ? syncToFail(seed, recording, cutSteps(seed, STEPS, this.shape()))
        : undefined;
    if (inject !== undefined) return this.failSync(seed, inject, only);
    await this.search(seed, recording, subject, only);
    await this.nest(seed, recording, subject);
  }

  /**
   * The same workload with one sync that fails, which the seed chooses. A store that goes on and
   * acknowledges what the kernel has dropped by then loses it to a power cut.
   */
  private async failSync(
    seed: number,
    inject: string,
    only: readonly number[] | undefined,
  ): Promise<void> {
    const { recording, exitStatus, isLate } = await this.record(
      seed,
      STEPS,
      only,
      undefined,
      inject,
    );
    // Whether it may end the process for that is what the faults ask.
    if (exitStatus !== 0 || isLate || recording.troubles.length > 0) return;
    if (!recording.events.some(({ event }) => event.kind === 'writebackFailed')) return;
    this.report.failedSyncs++;
    const prefix = 'One sync had failed, and the store went on. ';
    await this.search(seed, recording, this.cutSubject(seed), only, prefix);
  }

  private whyFailed({
    recording,
    exitStatus,
    isLate,
    strays,
    errors,
  }: ProgramRecord): string | undefined {
    const failed = recording.marks.find(({ text }) => text.startsWith('failed '));
    if (failed !== undefined) return JSON.parse(failed.text.slice(7)) as string;
    const running = strays.length === 0 ? '' : `; these went on: ${strays.slice(0, 3).join(', ')}`;
    if (isLate) return `it did not end within ${RECORD_MS / 1000} s${running}`;
    return exitStatus === 0 ? undefined : `its process ended with ${exitStatus}: ${errors}`;
  }

  private fail(seed: number, message: string): void {
    if (this.found.has('alive')) return;
    this.found.add('alive');
    this.report.findings.push({
      promise: 'alive',
      message: `without any crash, ${message}`,
      story: [],
      directory: undefined,
      reproduce: this.reproduce(seed, undefined),
    });
  }

  /** However much is found, shrinking takes the run at most so far beyond its end. */
  private shrinkingTime(): () => boolean {
    const endMs = Math.min(performance.now(), this.endMs) + SHRINK_MS;
    return () => performance.now() < endMs && !this.options.signal?.aborted;
  }

  private async search(
    seed: number,
    recording: Recording,
    subject: CutSubject,
    only: readonly number[] | undefined,
    nested = '',
  ): Promise<void> {
    const startMs = performance.now();
    const before = subject.opened;
    const { counts } = this.report;
    const opened = this.report.opened;
    for await (const finding of searchCuts({
      recording,
      subject,
      seed,
      fatesAMoment: FATES_A_MOMENT,
      counts,
      isOver: () => this.isOver(),
    })) {
      this.report.opened = opened + subject.opened - before;
      if (this.found.has(finding.verdict.promise)) continue;
      this.found.add(finding.verdict.promise);
      if (recording.mapped.length > 0) {
        this.notes.add(`not judged, because of the map: ${finding.verdict.message}`);
        continue;
      }
      await this.tell(seed, finding, recording, subject, only, nested);
      if (this.report.findings.length >= MOST_FINDINGS) break;
    }
    this.report.opened = opened + subject.opened - before;
    this.report.searchedMs += performance.now() - startMs;
    this.options.onProgress?.(this.report);
  }

  /** The opening of a few images is recorded and cut as well. */
  private async nest(seed: number, recording: Recording, subject: StoreCutSubject): Promise<void> {
    const { length } = recording.events;
    for (let index = 1; index <= NESTED_A_WORKLOAD && !this.isOver(); index++) {
      const at = Math.floor((length * index) / (NESTED_A_WORKLOAD + 1));
      const image = diskAt(recording, 'posix', at).image(() => (index % 2 === 0 ? 'kept' : 'lost'));
      const record = await this.record(seed, 0, undefined, image);
      if (record.exitStatus !== 0 || record.recording.troubles.length > 0) continue;
      this.report.nested++;
      const outer = new NestedSubject(subject, { recording, at });
      await this.search(seed, record.recording, outer, undefined, 'In the recovery from a cut, ');
    }
  }

  private async tell(
    seed: number,
    first: CutFinding,
    firstRecording: Recording,
    firstSubject: CutSubject,
    only: readonly number[] | undefined,
    nested: string,
  ): Promise<void> {
    const hasTime = this.shrinkingTime();
    let [finding, recording, subject] = [first, firstRecording, firstSubject];
    let steps = only ?? cutSteps(seed, STEPS, this.shape()).map(({ number }) => number);
    if (nested === '') {
      const numbers = steps;
      const fails = async (indexes: readonly number[]) => {
        const kept = indexes.map((index) => numbers[index] as number);
        const record = await this.record(seed, STEPS, kept);
        if (record.exitStatus !== 0 || record.recording.troubles.length > 0) return false;
        const fewer = this.cutSubject(seed);
        for await (const found of searchCuts({
          recording: record.recording,
          subject: fewer,
          seed,
          fatesAMoment: FATES_A_MOMENT,
          counts: noCutCounts(),
          models: [first.model],
          isOver: () => !hasTime(),
        })) {
          if (found.verdict.promise !== first.verdict.promise) continue;
          [finding, recording, subject, steps] = [found, record.recording, fewer, kept];
          return true;
        }
        return false;
      };
      await shrinkSteps(numbers.length, fails, hasTime);
    }
    const hasMore = this.shrinkingTime();
    const small = await shrinkCut(finding, recording, subject, hasMore);
    const syncs = await missingSyncs(small, recording, subject, seed, hasMore);
    const story = tellStory(small, recording, subject, syncs);
    const directory = join(this.options.directory, `cut-${this.report.findings.length + 1}`);
    mkdirSync(this.options.directory, { recursive: true });
    writeDirectory(small.image, join(this.scratch, 'kept'));
    cpSync(join(this.scratch, 'kept'), directory, { recursive: true });
    this.report.findings.push({
      promise: small.verdict.promise as StorePromise,
      message: `[${small.model}] ${nested}${story.text}`,
      story: story.details,
      directory,
      reproduce: this.reproduce(seed, nested === '' ? steps : undefined),
    });
    this.options.onProgress?.(this.report);
  }

  private reproduce(seed: number, steps: readonly number[] | undefined): string {
    const only = steps === undefined ? '' : ` --only-steps '${steps.join()}'`;
    return `${this.options.subject.command} --only-seed ${seed}${only}`;
  }
}

/** An opening is held to what the moment of the first cut asks for. */
class NestedSubject implements CutSubject {
  private readonly outer: CutSubject;
  private readonly moment: Moment;

  constructor(outer: CutSubject, moment: Moment) {
    this.outer = outer;
    this.moment = moment;
  }

  get opened(): number {
    return this.outer.opened;
  }

  judge(image: DiskImage, digest: string) {
    return this.outer.judge(image, digest, this.moment);
  }

  /** It lies before the recording of the opening. */
  acknowledged() {
    const acknowledged = this.outer.acknowledged(this.moment);
    return acknowledged && { ...acknowledged, call: 0 };
  }

  end(): void {}
}

/**
 * One of the syncs that were made in a sync or a write, as `strace -e inject=` takes it; undefined
 * where there was none. Calls are counted as if one thread made all of a kind.
 */
function syncToFail(
  seed: number,
  { events, marks }: Recording,
  steps: readonly NumberedStep[],
): string | undefined {
  const kindAt = (at: number) => {
    const [word, number] = marks.findLast((mark) => mark.at <= at)?.text.split(' ') ?? [];
    return word === 'begin' ? steps[Number(number)]?.step.kind : undefined;
  };
  const counts = new Map<string, number>();
  const choices = events.flatMap(({ event, call: { text } }, at) => {
    if (event.kind !== 'dataSync' && event.kind !== 'directorySync') return [];
    const call = text.slice(0, text.indexOf('('));
    const number = (counts.get(call) ?? 0) + 1;
    counts.set(call, number);
    const isAsked = ['sync', 'write'].includes(kindAt(at) ?? '');
    return event.kind === 'dataSync' && isAsked ? [`${call}:error=EIO:when=${number}`] : [];
  });
  return choices[Prng.seeded(mix32(seed ^ 0x6673796e)).below(Math.max(1, choices.length))];
}
