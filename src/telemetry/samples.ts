import type { DurationHistogram } from './duration-histogram.ts';

/** A value of a family with its labels, `store` left out. */
export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number | DurationHistogram;
}

/** The samples of a family without labels. */
export function plain(value: Sample['value']): readonly Sample[] {
  return [{ labels: {}, value }];
}

/** One sample per value of a label. */
export function byLabel(label: string, values: Readonly<Record<string, number>>): Sample[] {
  return Object.entries(values).map(([name, value]) => ({ labels: { [label]: name }, value }));
}

const OTHER = 'other';

/** A counter whose labels are open, such as an error code; touched only when something fails. */
export class LabelledCounter {
  private readonly names: readonly string[];
  private readonly most: number;
  private readonly values = new Map<
    string,
    { readonly labels: Record<string, string>; value: number }
  >();

  /**
   * The values that can be foreseen stand at 0 from the start: of a counter that begins at 1,
   * `rate` misses the first. Of more than `most` different ones the rest is counted as `other`.
   */
  constructor(
    names: readonly string[],
    foreseen: readonly (readonly string[])[],
    most = Number.POSITIVE_INFINITY,
  ) {
    this.names = names;
    this.most = most;
    for (const labels of foreseen) this.add(0, ...labels);
  }

  add(count: number, ...labels: string[]): void {
    const key = labels.join('\0');
    const entry = this.values.get(key);
    if (entry !== undefined) {
      entry.value += count;
      return;
    }
    if (this.values.size >= this.most && labels.some((label) => label !== OTHER)) {
      this.add(count, ...labels.map(() => OTHER));
      return;
    }
    const named = Object.fromEntries(
      this.names.map((name, index) => [name, labels[index] as string]),
    );
    this.values.set(key, { labels: named, value: count });
  }

  get samples(): readonly Sample[] {
    return [...this.values.values()];
  }
}
