import { execFile } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Summary } from '../../harness/soak/result/summary.ts';
import { type Estimate, estimateMedian } from '../../harness/statistics/trend.ts';

/**
 * The reach: a sample a second. The bare run takes its first and its last one, which every run
 * needs.
 */
const OBSERVED_EVERY_MS = 1000;
const BARE_EVERY_MS = 3_600_000;

export interface ObserverOverhead {
  /** User bytes per second of each run, and the samples of the observed ones. */
  readonly pairs: readonly Pair[];
  /** The share of the throughput that the observer takes. */
  readonly lost: Estimate;
}

export interface Pair {
  readonly bareBytesPerSecond: number;
  readonly observedBytesPerSecond: number;
  readonly samples: number;
}

/**
 * Pairs of the same soak, with and without samples, that take turns at being first. Throws when a
 * run does not pass.
 */
export async function measureObserverOverhead(
  directory: string,
  pairCount: number,
  bytes: number,
  told: (pair: Pair) => void,
): Promise<ObserverOverhead> {
  const pairs: Pair[] = [];
  for (let index = 0; index < pairCount; index++) {
    const run = (everyMs: number) => soak(directory, bytes, index + 1, everyMs);
    const isBareFirst = index % 2 === 0;
    const first = await run(isBareFirst ? BARE_EVERY_MS : OBSERVED_EVERY_MS);
    const second = await run(isBareFirst ? OBSERVED_EVERY_MS : BARE_EVERY_MS);
    const [bare, observed] = isBareFirst ? [first, second] : [second, first];
    const pair = {
      bareBytesPerSecond: bare.bytesPerSecond,
      observedBytesPerSecond: observed.bytesPerSecond,
      samples: observed.samples,
    };
    pairs.push(pair);
    told(pair);
  }
  const lost = pairs.map((pair) => 1 - pair.observedBytesPerSecond / pair.bareBytesPerSecond);
  return { pairs, lost: estimateMedian(lost, 1) };
}

interface Run {
  readonly bytesPerSecond: number;
  readonly samples: number;
}

async function soak(directory: string, bytes: number, seed: number, everyMs: number): Promise<Run> {
  const out = join(directory, 'soak');
  const main = fileURLToPath(new URL('../../harness/soak/main.js', import.meta.url));
  const words = [
    '--bytes',
    String(bytes),
    '--seed',
    String(seed),
    '--sample-ms',
    String(everyMs),
    '--out',
    out,
  ];
  // One that does not pass rejects, with what it said.
  await promisify(execFile)(process.execPath, [main, ...words]);
  const { userBytesPerSecond } = JSON.parse(
    readFileSync(join(out, 'summary.json'), 'utf8'),
  ) as Summary;
  const rows = readFileSync(join(out, 'samples.csv'), 'utf8').trimEnd().split('\n').slice(1);
  rmSync(out, { recursive: true });
  if (userBytesPerSecond === null) throw new Error('the soak wrote nothing');
  return { bytesPerSecond: userBytesPerSecond, samples: rows.length };
}
