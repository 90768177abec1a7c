import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { invokedAs } from '../../invocation.ts';
import { formatCount, formatSeconds } from '../../units.ts';
import { INVARIANTS, type Invariant } from '../promises/invariants.ts';
import type { CrashStateCounts } from '../states/crash-states.ts';
import { writeImage } from '../states/image-files.ts';
import { noCounts } from '../states/workload-check.ts';
import { STEPS } from '../work/campaign-budget.ts';
import type { CampaignPart, Failure, PartContext, PartResult } from './campaign.ts';
import type { ReportedFinding, StatesAnswer, StatesTask } from './campaign-messages.ts';
import { CampaignWorker, WorkerLost } from './campaign-worker.ts';
import { describeImage } from './crash-report-image.ts';

/** More workloads that fail would only say the same. */
const MOST_FAILURES = 3;
const PROGRESS_INTERVAL_MS = 500;

export interface StatesOptions {
  /** The seed of the first workload; the others have the seeds that follow. */
  readonly seed: number;
  readonly workers: number;
  readonly outDirectory: string;
  /**
   * Either as many workloads as there is time for, or only the first, and of it only some steps.
   */
  readonly goal:
    | { readonly seconds: number }
    | { readonly onlySteps: readonly number[] | undefined };
}

/** Every disk image that a power cut may leave, of one seeded workload after the other. */
export function statesPart(options: StatesOptions): CampaignPart {
  const others = ['I5', 'I11', 'I13'];
  const checked = Object.entries(INVARIANTS).filter(([name]) => !others.includes(name));
  return {
    name: 'states',
    invariants: Object.fromEntries(checked),
    run: (context) => new StatesCampaign(options, context).run(),
  };
}

class StatesCampaign {
  private readonly options: StatesOptions;
  private readonly context: PartContext;
  private readonly diskDirectory: string;
  private readonly workers = new Set<CampaignWorker>();
  private readonly finishedCounts = noCounts();
  /** What the running tasks have counted so far. */
  private readonly runningCounts = new Map<CampaignWorker, CrashStateCounts>();
  private readonly failures: Failure[] = [];
  private readonly startMs = performance.now();
  private begun = 0;
  private complete = 0;
  private isStopped = false;

  constructor(options: StatesOptions, context: PartContext) {
    this.options = options;
    this.context = context;
    this.diskDirectory = mkdtempSync(join(options.outDirectory, 'images-'));
  }

  async run(): Promise<PartResult> {
    const { goal, workers } = this.options;
    const { signal } = this.context;
    const stop = () => this.stop();
    signal.addEventListener('abort', stop);
    const deadline = 'seconds' in goal ? setTimeout(stop, goal.seconds * 1000) : undefined;
    const progress = setInterval(() => this.report(), PROGRESS_INTERVAL_MS);
    try {
      await Promise.all(Array.from({ length: 'seconds' in goal ? workers : 1 }, () => this.work()));
    } finally {
      clearTimeout(deadline);
      clearInterval(progress);
      signal.removeEventListener('abort', stop);
      rmSync(this.diskDirectory, { recursive: true, force: true });
    }
    return this.result();
  }

  private async work(): Promise<void> {
    let worker: CampaignWorker | undefined;
    for (let task = this.nextTask(); task !== undefined; task = this.nextTask()) {
      worker ??= this.startWorker();
      const current = worker;
      try {
        const answer = await current.check(task, (counts) =>
          this.runningCounts.set(current, counts),
        );
        this.take(task, answer);
      } catch (error) {
        if (!(error instanceof WorkerLost)) throw error;
        this.workers.delete(current);
        worker = undefined;
        if (!this.context.signal.aborted) this.fail(task.seed, 'alive', error.message, undefined);
      }
      this.runningCounts.delete(current);
    }
    await worker?.end();
  }

  private startWorker(): CampaignWorker {
    const worker = new CampaignWorker();
    this.workers.add(worker);
    return worker;
  }

  private nextTask(): StatesTask | undefined {
    const { seed, goal } = this.options;
    if (this.isStopped || ('onlySteps' in goal && this.begun > 0)) return undefined;
    return {
      seed: (seed + this.begun++) % 2 ** 32,
      stepCount: STEPS,
      onlySteps: 'onlySteps' in goal ? goal.onlySteps : undefined,
      diskDirectory: this.diskDirectory,
    };
  }

  private take({ seed }: StatesTask, { counts, isComplete, finding }: StatesAnswer): void {
    addCounts(this.finishedCounts, counts);
    if (isComplete) this.complete++;
    if (finding !== undefined) this.fail(seed, finding.invariant, finding.message, finding);
  }

  private fail(
    seed: number,
    invariant: Invariant,
    message: string,
    finding: ReportedFinding | undefined,
  ): void {
    this.context.progress.print(`seed ${seed}: ${invariant} is broken: ${firstLine(message)}`);
    this.failures.push({
      invariant,
      message,
      seed,
      command: reproduction(seed, finding),
      details: finding === undefined ? [] : describeFinding(finding),
      keepStore: (directory) => {
        if (finding !== undefined) writeImage(finding.image, directory);
      },
    });
    if (this.failures.length >= MOST_FAILURES) this.stop();
  }

  /** Workers answer soon with what they have. */
  private stop(): void {
    this.isStopped = true;
    for (const worker of this.workers) worker.stop();
  }

  private get counts(): CrashStateCounts {
    const sum = { ...this.finishedCounts };
    for (const counts of this.runningCounts.values()) addCounts(sum, counts);
    return sum;
  }

  private report(): void {
    const { states, images } = this.counts;
    const { goal, seed } = this.options;
    const seconds = (performance.now() - this.startMs) / 1000;
    const left =
      'seconds' in goal
        ? [`${formatSeconds(Math.max(0, Math.ceil(goal.seconds - seconds)))} left`]
        : [];
    this.context.progress.update(
      [
        `states ${formatCount(states)} distinct`,
        `${formatCount(Math.round(states / seconds))}/s`,
        ...left,
        `${percent(1 - states / images)} of the images seen before`,
        `${formatCount(this.complete)} workloads from seed ${seed}`,
      ].join('  '),
    );
  }

  private result(): PartResult {
    const { images, states, nestedStates, onDisk } = this.finishedCounts;
    const seconds = (performance.now() - this.startMs) / 1000;
    const cutShort = this.begun - this.complete;
    const duplicateShare = images === 0 ? 0 : 1 - states / images;
    return {
      figures: {
        states,
        imagesBuilt: images,
        duplicateShare: Number(duplicateShare.toFixed(4)),
        nestedStates,
        statesOnDisk: onDisk,
        statesPerSecond: Math.round(states / seconds),
        workloads: this.complete,
        workloadsCutShort: cutShort,
      },
      rows: [
        [
          'states',
          `${formatCount(states)} distinct in ${formatSeconds(Math.round(seconds))}, ${formatCount(Math.round(states / seconds))}/s; each opened and checked`,
        ],
        ['images', `${formatCount(images)} built, ${percent(duplicateShare)} of them seen before`],
        [
          'of them',
          `${formatCount(nestedStates)} of a second crash in a recovery; ${formatCount(onDisk)} opened on the real file system too`,
        ],
        [
          'workloads',
          `${formatCount(this.complete)} of at most ${STEPS} steps from seed ${this.options.seed}${cutShort > 0 ? `; ${cutShort} more cut short` : ''}`,
        ],
      ],
      failures: this.failures,
      isConclusive: states > 0 || this.failures.length > 0,
    };
  }
}

function addCounts(to: CrashStateCounts, counts: CrashStateCounts): void {
  to.images += counts.images;
  to.states += counts.states;
  to.nestedStates += counts.nestedStates;
  to.onDisk += counts.onDisk;
}

function reproduction(seed: number, finding: ReportedFinding | undefined): string {
  const steps = finding?.kept.map(({ number }) => number).join(',');
  return `${invokedAs('crash')} --only-seed ${seed}${steps === undefined ? '' : ` --only-steps ${steps}`}`;
}

function describeFinding({ at, depth, image, kept, stepCount, stack }: ReportedFinding): string[] {
  const where =
    depth === 0
      ? 'It was found while the workload ran, before any power cut.'
      : `The power went before event ${at} of the disk${depth === 2 ? ', and again in the recovery from that' : ''}.`;
  return [
    where,
    `Of ${stepCount} steps, these ${kept.length} are enough:`,
    ...kept.map(({ number, text }) => `  ${String(number).padStart(3)}  ${text}`),
    ...(stack === undefined ? [] : ['', stack]),
    '',
    'The files that the next opening found:',
    ...describeImage(image),
  ];
}

function percent(share: number): string {
  return `${Math.round((Number.isFinite(share) ? share : 0) * 100)} %`;
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] as string;
}
