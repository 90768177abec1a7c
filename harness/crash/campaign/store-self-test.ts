import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runStoreFaults } from '../faults/store-faults.ts';
import type { StoreFinding } from '../kills/store-finding.ts';
import { runStoreKills } from '../kills/store-kills.ts';
import { probeStore, type StoreSubject } from '../kills/store-subject.ts';
import { runStoreWorkloads } from '../kills/store-workload.ts';
import {
  plantedStore,
  STORE_PLANTS,
  type StorePart,
  type StorePlant,
  smallStorePath,
} from '../plants/store-plants.ts';
import { runKillImages } from '../power/kill-images.ts';
import { runStoreCuts } from '../power/store-cuts.ts';

export interface SelfTestOptions {
  /** A place for stores and copies. At the end only what was not caught stays there. */
  readonly directory: string;
  readonly seed: number;
  /** Seconds for one plant, and for each part of the store without a plant. */
  readonly seconds: number;
  /** Plants at a time. */
  readonly parallel: number;
  /** Chooses among the plants. */
  readonly only?: (plant: StorePlant) => boolean;
  /** Runs only these parts. */
  readonly parts?: readonly StorePart[];
  readonly signal?: AbortSignal;
  readonly onResult?: (result: PlantResult, done: number, of: number) => void;
}

export interface PlantResult {
  /** Undefined for the store without a plant. */
  readonly plant: StorePlant | undefined;
  readonly part: StorePart;
  readonly fate: 'caught' | 'passed' | 'skipped';
  /** What caught it, or why it was skipped. */
  readonly finding: StoreFinding | undefined;
  readonly reason: string | undefined;
  readonly durationMs: number;
}

/** What a part is given, and what it has found. */
export type PartRunner = (run: {
  readonly subject: StoreSubject;
  readonly directory: string;
  readonly seed: number;
  readonly seconds: number;
  readonly parallel: number;
  readonly signal: AbortSignal;
  readonly onProgress: (report: { readonly findings: readonly StoreFinding[] }) => void;
}) => Promise<{ readonly findings: readonly StoreFinding[] }>;

const RUNNERS: Readonly<Partial<Record<StorePart, PartRunner>>> = {
  workload: runStoreWorkloads,
  kills: async (run) => {
    const recorded = await runKillImages({ ...run, seconds: run.seconds / 3 });
    if (recorded.findings.length > 0) return recorded;
    return runStoreKills({ ...run, seconds: (run.seconds * 2) / 3 });
  },
  cuts: runStoreCuts,
  faults: runStoreFaults,
};
const SKIPPED = 'no recorder of system calls is here';

/** Puts every plant into the small store and through its part, and the small store through all. */
export async function runSelfTest(options: SelfTestOptions): Promise<PlantResult[]> {
  const { directory, parallel, signal, only = () => true, onResult } = options;
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  const parts = options.parts ?? (Object.keys(RUNNERS) as StorePart[]);
  const todo: (readonly [StorePlant | undefined, StorePart])[] = [
    ...parts.map((part) => [undefined, part] as const),
    ...STORE_PLANTS.filter((plant) => parts.includes(plant.part) && only(plant)).map(
      (plant) => [plant, plant.part] as const,
    ),
  ];
  const total = todo.length;
  const results: PlantResult[] = [];
  const lanes = Array.from({ length: parallel }, async () => {
    for (let next = todo.shift(); next !== undefined && !signal?.aborted; next = todo.shift()) {
      const result = await runOne(next[0], next[1], options);
      results.push(result);
      onResult?.(result, results.length, total);
    }
  });
  await Promise.all(lanes);
  return results;
}

async function runOne(
  plant: StorePlant | undefined,
  part: StorePart,
  { directory, seed, seconds, signal }: SelfTestOptions,
): Promise<PlantResult> {
  const startMs = performance.now();
  const runner = RUNNERS[part];
  const end = (
    fate: PlantResult['fate'],
    finding?: StoreFinding,
    reason?: string,
  ): PlantResult => ({
    plant,
    part,
    fate,
    finding,
    reason,
    durationMs: performance.now() - startMs,
  });
  if (runner === undefined) return end('skipped', undefined, SKIPPED);
  const place = join(directory, `${plant?.name ?? 'without-a-plant'}-${part}`);
  mkdirSync(place, { recursive: true });
  let adapter = smallStorePath();
  if (plant !== undefined) {
    adapter = join(place, 'store.mjs');
    writeFileSync(adapter, plantedStore(plant));
  }
  const subject = await probeStore(adapter, [], join(place, 'probe'), seed);
  // One finding is enough.
  const stop = new AbortController();
  signal?.addEventListener('abort', () => stop.abort());
  const { findings } = await runner({
    subject,
    directory: join(place, 'run'),
    seed,
    seconds,
    parallel: 1,
    signal: stop.signal,
    onProgress: (report) => {
      if (report.findings.length > 0) stop.abort();
    },
  });
  if (findings.length === 0) {
    rmSync(place, { recursive: true, force: true });
    return end('passed');
  }
  if (plant !== undefined) rmSync(place, { recursive: true, force: true });
  return end('caught', findings[0]);
}
