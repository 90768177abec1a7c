import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { mix32 } from '../../prng.ts';
import { runTask } from '../../workloads/store-process.ts';
import type { StoreFinding } from './store-finding.ts';
import { howItEnded, lifeOf, lookAt } from './store-life.ts';
import { MOST_OPENING_MS, type StoreSubject } from './store-subject.ts';

export interface StoreWorkloadOptions {
  readonly subject: StoreSubject;
  /** Where the stores lie; those with findings stay there. */
  readonly directory: string;
  /** An integer from 0 to 2^32 - 1. */
  readonly seed: number;
  /** Ends after so many seconds, and not before a first workload has come to its end. */
  readonly seconds: number;
  /** Stores at a time. */
  readonly parallel: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (report: StoreWorkloadReport) => void;
}

export interface StoreWorkloadReport {
  /** Workloads that came to their end. */
  readonly workloads: number;
  readonly steps: number;
  readonly syncs: number;
  readonly findings: readonly StoreFinding[];
}

/** Fewer say nothing. */
export const LEAST_WORKLOAD_STEPS = 300;
const STEPS = 320;
const MOST_FINDINGS = 2;

/**
 * Hostile workloads from beginning to end, with nothing that fails and nobody who kills: a store
 * that is wrong here needs no crash.
 */
export async function runStoreWorkloads(
  options: StoreWorkloadOptions,
): Promise<StoreWorkloadReport> {
  const { subject, directory, seconds, parallel, signal, onProgress } = options;
  const startMs = performance.now();
  const findings: StoreFinding[] = [];
  const counts = { workloads: 0, steps: 0, syncs: 0 };
  mkdirSync(directory, { recursive: true });
  const isOver = () => {
    if (signal?.aborted || findings.length >= MOST_FINDINGS) return true;
    return counts.workloads > 0 && performance.now() - startMs >= seconds * 1000;
  };
  let next = 0;
  const lanes = Array.from({ length: parallel }, async () => {
    while (!isOver()) {
      const number = next++;
      const place = join(directory, `store-${number}`);
      rmSync(place, { recursive: true, force: true });
      mkdirSync(place);
      const seed = mix32((options.seed + mix32(number)) >>> 0);
      const finding = await runOne(subject, place, seed, counts);
      if (finding === undefined) rmSync(place, { recursive: true, force: true });
      else {
        const reproduce = `${subject.command} --part workload --seed ${options.seed}`;
        findings.push({ ...finding, directory: place, reproduce });
      }
      onProgress?.({ ...counts, findings });
    }
  });
  await Promise.all(lanes);
  return { ...counts, findings };
}

async function runOne(
  subject: StoreSubject,
  directory: string,
  seed: number,
  counts: { workloads: number; steps: number; syncs: number },
): Promise<Pick<StoreFinding, 'promise' | 'message' | 'story'> | undefined> {
  const { adapter, shape, contract } = subject;
  const { ordered } = contract;
  const at = { seed, round: 0, before: new Map() };
  const task = { task: 'work', adapter, directory, seed, round: 0, shape, ordered } as const;
  const end = await runTask(
    { ...task, before: [], steps: STEPS, goesOn: false },
    { mostMs: 2 * MOST_OPENING_MS },
  );
  const life = lifeOf(subject, at, end.lines, 'kill');
  counts.steps += life.steps;
  counts.syncs += life.syncs;
  const died = end.lines.includes('closed')
    ? undefined
    : ({ promise: 'alive', message: `in a workload without a fault ${howItEnded(end)}` } as const);
  // The store was closed in order: whatever the contract says of crashes, all of it is there.
  const whole = { ...life, required: life.history.groups.length };
  const verdict = life.verdict ?? died ?? (await lookAt(subject, directory, at, whole)).verdict;
  if (verdict === undefined) {
    counts.workloads++;
    return undefined;
  }
  const { promise, message } = verdict;
  return {
    promise,
    message,
    story: [
      `A workload of seed ${seed}, without a fault and without a kill, had taken ${life.steps} steps.`,
      message,
    ],
  };
}
