import type { Sample } from '../../../harness/soak/sampling/sample.ts';

/** Makes the part of a sample that a page shows. */
export function madeUpSample(elapsedS: number): Sample {
  const outside = {
    rssBytes: 110e6 + elapsedS * 1e6,
    cpuPercent: 90,
    descriptors: { open: 20 + (elapsedS % 3), deleted: 0 },
  };
  const inside = {
    phase: 'writing',
    workloadMs: elapsedS * 1000,
    totals: { operations: elapsedS * 24_000, bytesWritten: elapsedS * 70e6, keysChecked: 0 },
    liveKeys: 20_000,
    heapUsedBytes: 15e6,
    externalBytes: 30e6,
    arrayBuffersBytes: 28e6,
    eventLoopDelayMs: { mean: 0.5, p99: 3, max: 20 },
    latency: { put: { p50Us: 2, p99Us: 9, maxUs: 900 } },
  };
  return { elapsedS, outside, inside } as unknown as Sample;
}
