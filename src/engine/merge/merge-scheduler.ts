import { observed, unlessAborted } from '../host/observation.ts';
import { checkNumber, checkOptions, checkSignal } from '../host/options.ts';
import { inOwnContext } from '../host/own-context.ts';
import { nowNs } from '../host/probe.ts';
import type { OperationResults } from '../host/store-event.ts';
import type { Keydir } from '../keydir/keydir.ts';
import type { OpenLog } from '../log/open-log.ts';
import { type MergeResult, mergeRun } from './merge.ts';
import { chooseRun, garbageBytes, type MergeCandidate } from './merge-choice.ts';

export interface CompactOptions {
  /** Segments of which at least this share is garbage are merged. From 0 to 1; default 0.25. */
  readonly deadRatio?: number;
  /** Ends the compaction between two slices; what was merged before stays merged. */
  readonly signal?: AbortSignal;
}

export interface AutoCompactionOptions {
  /** The same as for `compact`. Default 0.4. */
  readonly deadRatio?: number;
  /** Nothing is merged while there is less garbage than this. Bytes; default: one segment. */
  readonly minBytes?: number;
}

/** What a compaction did. Bytes of segments. */
export interface CompactionReport {
  readonly merges: number;
  readonly inputBytes: number;
  readonly outputBytes: number;
}

const DEFAULT_DEAD_RATIO = 0.25;
const DEFAULT_AUTO_DEAD_RATIO = 0.4;

/**
 * Writers that wait for a sync also wait for a merge once there is so much more garbage than what
 * starts one.
 */
const OUTRUN_FACTOR = 4;

/** Runs merges, one at a time: when it is asked to, and by itself where that is wanted. */
export class MergeScheduler {
  private readonly log: OpenLog;
  private readonly keydir: Keydir;
  private readonly auto: Required<AutoCompactionOptions> | undefined;
  /** Is an automatic pass at work, or waiting for its turn? */
  private isAutoDue = false;
  /** The one that is at work. */
  private autoPass: Promise<unknown> | undefined;

  /** `auto` as `checkAuto` has found it. */
  constructor(log: OpenLog, keydir: Keydir, auto: AutoCompactionOptions | undefined) {
    this.log = log;
    this.keydir = keydir;
    if (auto !== undefined) {
      const { deadRatio = DEFAULT_AUTO_DEAD_RATIO, minBytes = log.segmentBytes } = auto;
      this.auto = { deadRatio, minBytes };
    }
    if (this.auto !== undefined) void inOwnContext(() => this.startWithSeals());
  }

  /** The active segment is sealed first where it is worth it itself. */
  async compact(options: CompactOptions = {}): Promise<CompactionReport> {
    checkOptions(options, 'compact', ['deadRatio', 'signal']);
    const { deadRatio = DEFAULT_DEAD_RATIO, signal } = options;
    const share = checkNumber('deadRatio', deadRatio, 0, 1);
    checkSignal(signal);
    return this.log.exclusively(async () => {
      signal?.throwIfAborted();
      const active = this.keydir.usage.of(this.log.tail.active.segmentId);
      const garbage = active.putBytes - active.liveBytes;
      if (garbage > 0 && garbage >= share * this.log.tail.active.sizeBytes) this.log.rotate();
      await this.log.sealsWritten(() => this.check(signal));
      return this.mergePass(share, 0, signal);
    });
  }

  /**
   * Settles when the automatic pass that is at work has ended, if garbage outruns it. For those who
   * wait for something anyway: not for one that itself waits, for a scrub perhaps that takes hours.
   */
  async waitWhileOutrun(): Promise<void> {
    if (this.auto === undefined || this.autoPass === undefined || !this.isOutrun(this.auto)) return;
    const { probe } = this.log;
    const startNs = probe?.event === undefined ? 0 : nowNs();
    await this.autoPass.catch(() => {});
    const reason = 'compaction';
    probe?.event?.({ kind: 'writeStalled', reason, startNs, durationNs: nowNs() - startNs });
  }

  private isOutrun({ minBytes }: Required<AutoCompactionOptions>): boolean {
    return this.garbage(this.candidates()) > OUTRUN_FACTOR * minBytes;
  }

  /** Looks for garbage whenever a seal file was written: merges need seals. */
  private async startWithSeals(): Promise<void> {
    while (await this.log.sealer.nextWritten()) this.startAuto();
  }

  private startAuto(): void {
    const { auto } = this;
    if (auto === undefined || this.isAutoDue) return;
    if (this.garbage(this.candidates()) < auto.minBytes) return;
    this.isAutoDue = true;
    this.log
      .exclusively(() => {
        const pass = this.mergePass(auto.deadRatio, auto.minBytes, undefined);
        this.autoPass = pass;
        return pass;
      })
      // What went wrong the probe was told. The next segment that is sealed is the next occasion.
      .catch(() => ({ merges: 0 }))
      .then(({ merges }) => {
        this.isAutoDue = false;
        this.autoPass = undefined;
        // For what was sealed meanwhile, behind those who wait for their turn.
        if (merges > 0) this.startAuto();
      });
  }

  /**
   * Merges the segments that are sealed now until none is worth it. What is overwritten in the
   * outputs meanwhile does not count, and what is sealed meanwhile neither: beside writes that
   * never end, it would never end.
   */
  private async mergePass(
    deadRatio: number,
    minBytes: number,
    signal: AbortSignal | undefined,
  ): Promise<CompactionReport> {
    const throughId = this.log.tail.active.segmentId - 1;
    const outputs = new Set<number>();
    const report = { merges: 0, inputBytes: 0, outputBytes: 0 };
    for (;;) {
      this.check(signal);
      const candidates = this.candidates()
        .filter(({ segmentId }) => segmentId <= throughId)
        .map((candidate) =>
          outputs.has(candidate.segmentId) ? withoutDeadPuts(candidate) : candidate,
        );
      const run = chooseRun(candidates, deadRatio, this.log.segmentBytes);
      if (run === undefined || this.garbage(candidates) < minBytes) return report;
      const { inputBytes, outputBytes } = await this.mergeReported(run, signal);
      outputs.add((run.at(-1) as MergeCandidate).segmentId);
      report.merges++;
      report.inputBytes += inputBytes;
      report.outputBytes += outputBytes;
    }
  }

  /** Throws where a compaction is to end. */
  private check(signal: AbortSignal | undefined): void {
    signal?.throwIfAborted();
    this.log.checkWritable('compact');
  }

  private async mergeReported(
    run: readonly MergeCandidate[],
    signal: AbortSignal | undefined,
  ): Promise<MergeResult> {
    const { probe, files } = this.log;
    const result: OperationResults['compact'] = {
      outcome: 'failed',
      inputBytes: 0,
      outputBytes: 0,
    };
    const work = async (operation: number) => {
      const check = () => this.check(signal);
      const merged = await mergeRun(this.log, this.keydir, run, operation, check);
      Object.assign(result, merged, { outcome: 'ok' });
      return merged;
    };
    const toFailure = unlessAborted(signal, 'compact', files.directory);
    return observed(probe, 'compact', result, work, toFailure);
  }

  private candidates(): MergeCandidate[] {
    const { tail, sealer, reader } = this.log;
    return tail.sealed.map((segment) => ({
      ...segment,
      seal: sealer.sealOf(segment),
      usage: this.keydir.usage.of(reader.files.fileOf(segment.segmentId)),
    }));
  }

  private garbage(candidates: readonly MergeCandidate[]): number {
    const lowest = candidates.findIndex(({ sizeBytes }) => sizeBytes > 0);
    return candidates.reduce(
      (sum, candidate, index) => sum + garbageBytes(candidate, index === lowest),
      0,
    );
  }
}

/**
 * Deletes may still become garbage: all of them go when the segment is the lowest that holds
 * anything, and then for good.
 */
function withoutDeadPuts(candidate: MergeCandidate): MergeCandidate {
  const { putBytes } = candidate.usage;
  return { ...candidate, usage: { ...candidate.usage, liveBytes: putBytes } };
}

/**
 * The options of automatic merges, before anything is opened with them; throws `TypeError` or
 * `RangeError`.
 */
export function checkAuto(
  compaction: { readonly auto: AutoCompactionOptions } | undefined,
): AutoCompactionOptions | undefined {
  const { auto } = checkOptions(compaction, 'compaction', ['auto']);
  if (auto === undefined) return undefined;
  checkOptions(auto, 'compaction.auto', ['deadRatio', 'minBytes']);
  const { deadRatio, minBytes } = auto;
  if (deadRatio !== undefined) checkNumber('deadRatio', deadRatio, 0, 1);
  if (minBytes !== undefined) checkNumber('minBytes', minBytes, 0, Number.MAX_SAFE_INTEGER);
  return auto;
}
