import { expect, test } from 'vitest';
import { AbortWatch } from '../../../harness/soak/gates/abort-watch.ts';
import { judgeGates } from '../../../harness/soak/gates/gates.ts';
import { parseThreshold, type Threshold } from '../../../harness/soak/gates/threshold.ts';
import type { Sample } from '../../../harness/soak/sampling/sample.ts';

interface Numbers {
  readonly rssBytes?: number;
  readonly fds?: number;
  readonly storeFds?: number;
  readonly heapBytes?: number;
  readonly life?: number;
}

/** One a second, with a thousand operations in each. */
function samplesOf(numbers: readonly Numbers[]): Sample[] {
  return numbers.map(({ rssBytes, fds, storeFds, heapBytes, life = 0 }, index) => ({
    elapsedS: index,
    life,
    outside: {
      ...(rssBytes === undefined ? {} : { rssBytes }),
      ...(fds === undefined ? {} : { descriptors: { open: fds, deleted: 0 } }),
    },
    inside: {
      phase: 'writing' as const,
      totals: {
        ...{ operations: index * 1000, puts: 0, deletes: 0, reads: 0, syncs: 0, rotates: 0 },
        ...{ compacts: 0, reopens: 0, byTime: 0, bytesWritten: 0, keysChecked: 0 },
      },
      liveKeys: 0,
      liveBytes: 0,
      workloadMs: index * 1000,
      ...(storeFds === undefined ? {} : { stats: { openDescriptors: storeFds } }),
      heapUsedBytes: 0,
      ...(heapBytes === undefined ? {} : { heapUsedAfterGcBytes: heapBytes }),
      externalBytes: 0,
      arrayBuffersBytes: 0,
      eventLoopDelayMs: { mean: 0, p99: 0, max: 0 },
      latency: {},
    },
  }));
}

function threshold(
  series: string,
  text: string,
  more: { margin?: number; abortOnFail?: boolean } = {},
): Threshold {
  return parseThreshold({ series, text, abortOnFail: false, margin: 0, ...more });
}

function judged(samples: readonly Sample[], one: Threshold, warmupEndsAtS = 0) {
  const measured = { samples, checkpoints: [], warmupEndsAtS, peakRssBytes: undefined };
  return judgeGates(measured, { thresholds: [one], maxRssBytes: undefined, seed: 1 })[0];
}

const MB = 1e6;

test('limits know units, margins and percentiles, and leave the warm-up out', () => {
  const samples = samplesOf(
    [900, 100, 110, 120].map((megabytes) => ({ rssBytes: megabytes * MB })),
  );
  const verdict = (text: string, warmupEndsAtS: number, margin = 0) =>
    judged(samples, threshold('rss_bytes', text, { margin }), warmupEndsAtS)?.verdict;
  expect(verdict('max <= 120 * MB', 0)).toBe('failed');
  expect(verdict('max <= 120 * MB', 1)).toBe('passed');
  expect(verdict('max < 120 * MB', 1)).toBe('failed');
  expect(verdict('max < 120 * MB', 1, 0.1)).toBe('passed');
  expect(verdict('p(50) == (100 + 120) / 2 * MB', 1)).toBe('passed');
  expect(verdict('min >= 0.2 * GB', 1)).toBe('failed');
  expect(verdict('last == 120000000', 1)).toBe('passed');
  expect(verdict('max <= 1 * GB', 10)).toBe('inconclusive');
  expect(judged(samples, threshold('fds', 'max <= 1'))?.verdict).toBe('skipped');
});

test('a formula holds in every sample or not at all', () => {
  const equality = threshold('fds', 'value == store_fds + 17');
  const right = samplesOf([20, 21, 25].map((fds) => ({ fds, storeFds: fds - 17 })));
  expect(judged(right, equality)).toMatchObject({ verdict: 'passed', kind: 'equality' });
  const wrong = [...right, ...samplesOf([{ fds: 22, storeFds: 4 }])];
  expect(judged(wrong, equality)).toMatchObject({ verdict: 'failed', value: 22, limit: 21 });
});

test('a leak is one when it is certain, none when it is not there, and unknown when the run was short', () => {
  const wobble = [0, 3, -2, 1, -3, 2, 0, -1];
  const heap = (count: number, bytesAnOperation: number) =>
    samplesOf(
      Array.from({ length: count }, (_, index) => ({
        heapBytes:
          10 * MB + index * 1000 * bytesAnOperation + (wobble[index % 8] as number) * 10_000,
      })),
    );
  const slope = threshold('heap_used_after_gc_bytes', 'slope <= 16 * kB');
  expect(judged(heap(60, 64), slope)).toMatchObject({ verdict: 'failed', kind: 'leak' });
  expect(judged(heap(60, 64), slope)?.interval?.lower).toBeGreaterThan(16_000);
  expect(judged(heap(40, 0), slope)?.verdict).toBe('passed');
  expect(judged(heap(40, 8), slope)?.verdict).toBe('passed');
  expect(judged(heap(8, 64), slope)).toMatchObject({ verdict: 'inconclusive', passed: false });
  const wide = threshold('heap_used_after_gc_bytes', 'slope <= 16 * kB', { margin: 0.5 });
  expect(judged(heap(60, 64), wide)).toMatchObject({ verdict: 'failed', limit: 24_000 });
  expect(judged(heap(60, 64), wide)?.detail).toContain('of at most 24.0 kB/1000 ops');
});

test('a rise that is certain, and less than a young process takes for itself, is too short to tell', () => {
  // As a healthy process does in its first two seconds: by 5 MB and 90 kB per thousand operations.
  const young = samplesOf(
    Array.from({ length: 5 * 4 }, (_, index) => ({
      rssBytes: (60 + 1.2 * index) * MB,
      heapBytes: 7 * MB + index * 90_000,
    })),
  );
  const leaking = samplesOf(
    Array.from({ length: 40 }, (_, index) => ({ rssBytes: (60 + 1.2 * index) * MB })),
  );
  const ofRss = threshold('rss_bytes', 'slope <= 256 * kB');
  const ofHeap = threshold('heap_used_after_gc_bytes', 'slope <= 16 * kB');
  expect(judged(young, ofRss)?.detail).toMatch(
    /too short to tell, a rise by less than the 32\.0 MB/,
  );
  expect(judged(young, ofRss)).toMatchObject({ verdict: 'inconclusive', passed: false });
  expect(judged(young, ofHeap)).toMatchObject({ verdict: 'inconclusive', passed: false });
  expect(judged(leaking, ofRss)?.verdict).toBe('failed');
});

test('a single step is no leak: the slope alone does not decide', () => {
  const step = samplesOf(
    Array.from({ length: 40 }, (_, index) => ({ heapBytes: index < 36 ? 10 * MB : 30 * MB })),
  );
  expect(judged(step, threshold('heap_used_after_gc_bytes', 'slope <= 16 * kB'))?.verdict).not.toBe(
    'failed',
  );
});

test('a line beyond the limit that the plateaus excuse passes, and says so', () => {
  const wobble = [0, 40, -30, 20, -40, 30, 0, -20];
  const restless = samplesOf(
    Array.from({ length: 36 }, (_, index) => ({
      rssBytes:
        (100 + index + (index < 12 || index >= 24 ? (wobble[index % 8] as number) : 0)) * MB,
    })),
  );
  const gate = judged(restless, threshold('rss_bytes', 'slope <= 256 * kB'));
  expect(gate).toMatchObject({ verdict: 'passed', excused: true });
  expect(gate?.interval?.lower).toBeGreaterThan(256_000);
  expect(gate?.detail).toMatch(
    /^1(\.\d+)? MB\/1000 ops of at most 256 kB\/1000 ops, over 36 samples\. The line alone is over/,
  );
});

test.each([
  [{ fds: 0 }, 'fds', 'last == 0', '0 to be 0, over 20 samples'],
  [
    { rssBytes: 143 * MB },
    'rss_bytes',
    'max <= 400 * MB',
    '143 MB of at most 400 MB, over 20 samples',
  ],
  [
    { heapBytes: MB },
    'heap_used_after_gc_bytes',
    'growth <= 100 * percent',
    '0 % of at most 100 %, over 20 samples',
  ],
] as const)('%o is told in human units', (numbers, series, text, detail) => {
  const samples = samplesOf(Array.from({ length: 20 }, () => numbers));
  expect(judged(samples, threshold(series, text))?.detail).toBe(detail);
});

test('what a killed process had leaked is not added to what the next one has', () => {
  const lives = samplesOf(
    Array.from({ length: 60 }, (_, index) => ({
      heapBytes: (index < 20 ? 10 : 40) * MB,
      life: index < 20 ? 0 : 1,
    })),
  );
  const gate = judged(lives, threshold('heap_used_after_gc_bytes', 'slope <= 16 * kB'));
  expect(gate?.verdict).toBe('passed');
  expect(gate?.detail).toContain('over 40 samples, of the longest of 2 lives');
});

test('a process that takes over after a kill warms up as long as the first one did before its growth counts', () => {
  // By 1.5 MB per sample in the first forty of a life, and no more then.
  const lives = samplesOf(
    Array.from({ length: 145 }, (_, index) => ({
      heapBytes: (10 + 1.5 * Math.min(40, index < 45 ? index : index - 45)) * MB,
      life: index < 45 ? 0 : 1,
    })),
  );
  const slope = threshold('heap_used_after_gc_bytes', 'slope <= 16 * kB');
  expect(judged(lives, slope, 40)).toMatchObject({ verdict: 'passed', value: 0 });
  expect(judged(lives, slope, 40)?.detail).toContain('over 60 samples, of the longest of 2 lives');
  expect(judged(lives, slope, 1)?.verdict).toBe('failed');
});

test('abortOnFail ends the run at the sample that fails, not in the warm-up, and not for other gates', () => {
  const samples = samplesOf([90, 10, 10, 80, 10].map((fds) => ({ fds })));
  const watch = new AbortWatch(
    [threshold('fds', 'max <= 50', { abortOnFail: true }), threshold('fds', 'max <= 5')],
    1,
  );
  expect(samples.map((sample, index) => watch.add(sample, index > 0))).toEqual([
    false,
    false,
    false,
    true,
    true,
  ]);
  expect(watch.failed).toMatchObject({ name: 'fds: max <= 50', aborted: true, value: 80 });
});
