import type { Sample } from '../sampling/sample.ts';
import { SERIES } from '../sampling/series.ts';
import type { SampleTable } from './drawing/sample-table.ts';

const ELAPSED = 'elapsed_s';
const FIRST_CAPACITY = 1_024;

/** The samples of a run that goes on, by the columns that its file will have. */
export class GrowingSamples implements SampleTable {
  private readonly columns = new Map<string, Float64Array>();
  private readonly measured = new Set<string>();
  private capacity = FIRST_CAPACITY;
  private count = 0;
  private latest: Sample | undefined;

  constructor() {
    for (const name of [ELAPSED, ...SERIES.map(({ column }) => column)]) {
      this.columns.set(name, new Float64Array(this.capacity));
    }
  }

  get rowCount(): number {
    return this.count;
  }

  get last(): Sample | undefined {
    return this.latest;
  }

  column(name: string): Float64Array | undefined {
    return this.columns.get(name)?.subarray(0, this.count);
  }

  hasValues(name: string): boolean {
    return this.measured.has(name);
  }

  add(sample: Sample): void {
    if (this.count === this.capacity) this.grow();
    const before = isSameProcess(this.latest, sample) ? this.latest : undefined;
    this.set(ELAPSED, sample.elapsedS);
    for (const { column, columnScale, of } of SERIES) {
      this.set(column, (of(sample, before) ?? Number.NaN) / columnScale);
    }
    this.count++;
    this.latest = sample;
  }

  private set(column: string, value: number): void {
    if (!Number.isNaN(value)) this.measured.add(column);
    (this.columns.get(column) as Float64Array)[this.count] = value;
  }

  private grow(): void {
    this.capacity *= 2;
    for (const [name, values] of this.columns) {
      const larger = new Float64Array(this.capacity);
      larger.set(values);
      this.columns.set(name, larger);
    }
  }
}

/** A process that was started anew counts from nothing. */
function isSameProcess(before: Sample | undefined, now: Sample): boolean {
  return (before?.inside?.workloadMs ?? 0) <= (now.inside?.workloadMs ?? 0);
}
