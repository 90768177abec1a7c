import type { StoreContract } from '../../contract.ts';
import type { DiskImage } from '../../file-systems/disk-image.ts';
import type { HostileValues, Outcome } from '../../workloads/hostile-values.ts';
import type { WorkHistory, WriteGroup } from '../../workloads/work-history.ts';
import { type WorkShape, writesOf } from '../../workloads/work-steps.ts';
import { judgeState } from '../promises/store-judge.ts';
import { cutSteps, cutValues, type NumberedStep } from '../recording/record-steps.ts';
import type { Mark } from '../recording/recording.ts';
import type { CheckerPool, Observation } from './checker-pool.ts';
import type { CutSubject, CutVerdict, Moment } from './cut-subject.ts';

export interface StoreSubjectOptions {
  readonly adapter: string;
  readonly seed: number;
  readonly stepCount: number;
  readonly shape: WorkShape;
  readonly contract: StoreContract;
  readonly pool: CheckerPool;
  /** What the images survived: a power cut, unless it says the death of the process. */
  readonly survived?: 'kill' | 'power';
}

interface Reached {
  readonly history: WorkHistory;
  readonly required: number;
  /** The mark that asks for it, and the step that it is about. */
  readonly by: { readonly text: string; readonly call: number } | undefined;
}

/** The images of one workload of a store, judged by its contract. */
export class StoreSubject implements CutSubject {
  opened = 0;
  private readonly options: StoreSubjectOptions;
  private readonly steps: readonly NumberedStep[];
  private readonly values: HostileValues;
  /** What was reached, by the number of marks before a moment. */
  private readonly known = new Map<number, Reached>();
  private readonly observations = new Map<string, Promise<Observation>>();

  constructor(options: StoreSubjectOptions) {
    this.options = options;
    this.steps = cutSteps(options.seed, options.stepCount, options.shape);
    this.values = cutValues(options.seed, options.shape);
  }

  async judge(image: DiskImage, digest: string, moment: Moment): Promise<CutVerdict | undefined> {
    const { adapter, seed, shape, contract, pool } = this.options;
    let observing = this.observations.get(digest);
    if (observing === undefined) {
      this.opened++;
      const task = { adapter, seed, shape, ordered: contract.ordered };
      observing = pool.observe(image, task);
      this.observations.set(digest, observing);
    }
    const observation = await observing;
    if (observation.kind === 'broken') return observation;
    const { history, required } = this.reached(moment);
    const { values } = this;
    const observed = new Map<number, Outcome>(observation.pairs);
    return judgeState(history, required, observed, contract.history, (key) => values.keyName(key));
  }

  acknowledged(moment: Moment) {
    return this.reached(moment).by;
  }

  end(): void {
    this.observations.clear();
  }

  /** What had begun when the power went, and how much of it must be there. */
  private reached({ recording, at }: Moment): Reached {
    const later = recording.marks.findIndex((mark) => mark.at > at);
    const count = later === -1 ? recording.marks.length : later;
    const known = this.known.get(count) ?? this.reachedBy(recording.marks.slice(0, count));
    this.known.set(count, known);
    return known;
  }

  private reachedBy(marks: readonly Mark[]): Reached {
    const { contract, survived = 'power' } = this.options;
    const survives = (promised: StoreContract['put'] | undefined) =>
      promised === 'power' || promised === survived;
    const { steps, values } = this;
    const groups: WriteGroup[] = [];
    let required = 0;
    let by: Reached['by'];
    let syncing: number | undefined;
    for (const mark of marks) {
      const [word, numberText] = mark.text.split(' ');
      const number = Number(numberText);
      const step = steps[number]?.step;
      if (step === undefined || !['begin', 'end', 'refused'].includes(word as string)) continue;
      if (step.kind === 'sync') {
        if (word === 'begin') syncing = groups.length;
        else if (word === 'end' && survives(contract.sync) && syncing !== undefined) {
          required = Math.max(required, syncing);
          by = { text: `sync #${number} had returned`, call: mark.call };
        }
        continue;
      }
      const writes = writesOf(step).map(({ key, version }) => ({
        key,
        outcome: values.outcomeOf(key, version),
      }));
      if (writes.length === 0) continue;
      if (word === 'begin') groups.push({ step: number, writes, end: 'begun' });
      else if (word === 'refused') {
        // Each of its writes may have happened or not.
        groups[groups.length - 1] = { step: number, writes, end: 'failed' };
      } else {
        groups[groups.length - 1] = { step: number, writes, end: 'done' };
        if (!survives(contract.put)) continue;
        required = groups.length;
        const kind = writesOf(step).every(({ version }) => version === 0) ? 'delete' : 'put';
        const durable = survived === 'power' ? ' as durable' : '';
        by = { text: `${kind} #${number} was acknowledged${durable}`, call: mark.call };
      }
    }
    return { history: { before: new Map(), groups }, required, by };
  }
}
