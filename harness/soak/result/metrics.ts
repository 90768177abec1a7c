import { median } from 'simple-statistics';
import type { Unit } from '../../quantity.ts';
import type { Sample } from '../sampling/sample.ts';
import { seriesNamed } from '../sampling/series.ts';
import type { Observation } from './observation.ts';

/** A number that stands for a run, to be compared with that of others. */
export interface Metric {
  readonly name: string;
  readonly unit: Unit;
  readonly value: number;
  readonly better: 'less' | 'more';
  /** A time: it depends on the machine and on what else that does. */
  readonly isTime: boolean;
  /** What the value is the median of; empty for one that was measured once. */
  readonly samples: readonly number[];
}

interface MetricSeries {
  readonly series: string;
  readonly better: Metric['better'];
  readonly isTime: boolean;
}

/** Medians over the samples after the warm-up. */
const OF_SERIES: readonly MetricSeries[] = [
  { series: 'operations_per_second', better: 'more', isTime: true },
  { series: 'put_p50_us', better: 'less', isTime: true },
  { series: 'put_p99_us', better: 'less', isTime: true },
  { series: 'get_p50_us', better: 'less', isTime: true },
  { series: 'get_p99_us', better: 'less', isTime: true },
  { series: 'sync_p50_us', better: 'less', isTime: true },
  { series: 'rss_bytes', better: 'less', isTime: false },
  { series: 'heap_used_after_gc_bytes', better: 'less', isTime: false },
  { series: 'disk_over_live', better: 'less', isTime: false },
];

export function metricsOf({
  samples,
  warmupEndsAtS,
}: Pick<Observation, 'samples' | 'warmupEndsAtS'>): Metric[] {
  return OF_SERIES.flatMap(({ series: name, better, isTime }) => {
    const series = seriesNamed(name);
    if (series === undefined) return [];
    const values = samples.flatMap((sample, index) => {
      if (sample.elapsedS < warmupEndsAtS) return [];
      return series.of(sample, predecessor(samples, index)) ?? [];
    });
    if (values.length === 0) return [];
    return [{ name, unit: series.unit, value: median(values), better, isTime, samples: values }];
  });
}

function predecessor(samples: readonly Sample[], index: number): Sample | undefined {
  const before = samples[index - 1];
  return before?.life === samples[index]?.life ? before : undefined;
}
