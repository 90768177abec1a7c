import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { runBlocks } from '../../../harness/crash/blocks/block-campaign.ts';
import { probeStore } from '../../../harness/crash/kills/store-subject.ts';
import {
  plantedStore,
  STORE_PLANTS,
  type StorePlant,
  smallStorePath,
} from '../../../harness/crash/plants/store-plants.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';

/**
 * Mounts and loop devices that have to do with a directory, in this namespace and in every other.
 */
function leftBehind(directory: string): string[] {
  const loops = readdirSync('/sys/block').flatMap((name) => {
    const path = join('/sys/block', name, 'loop', 'backing_file');
    try {
      return readFileSync(path, 'utf8').includes(directory) ? [name] : [];
    } catch {
      return [];
    }
  });
  const mounts = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .filter((line) => line.includes(directory));
  return [...loops, ...mounts];
}

test('a disk copied while it is written recovers what was synced, and leaves nothing mounted', async ({
  skip,
}) => {
  const directory = join(temporaryDirectory(), 'blocks');
  const report = await runBlocks({ directory, seed: 7, seconds: 60, disks: 1 });
  skip(report.skipped !== undefined, report.skipped);
  expect(report.findings).toEqual([]);
  expect(report.images).toBeGreaterThanOrEqual(10);
  expect(report.recovered).toBeGreaterThan(0);
  expect(leftBehind(directory)).toEqual([]);
  expect(readdirSync(directory)).toEqual([]);
});

test('the disk of any store is held to its contract, and some of its images are mixed', async ({
  skip,
}) => {
  const place = temporaryDirectory();
  const store = await probeStore(smallStorePath(), [], join(place, 'probe'), 3);
  const directory = join(place, 'blocks');
  const report = await runBlocks({ directory, seed: 3, seconds: 60, disks: 1, store });
  skip(report.skipped !== undefined, report.skipped);
  expect(report.findings).toEqual([]);
  expect(report.images).toBeGreaterThanOrEqual(10);
  expect(report.mixed).toBeGreaterThan(0);
  expect(leftBehind(directory)).toEqual([]);
}, 120_000);

test('a store that makes no sync loses on a real disk what it acknowledged', async ({ skip }) => {
  const place = temporaryDirectory();
  const plant = STORE_PLANTS.find(({ name }) => name === 'no-sync') as StorePlant;
  const adapter = join(place, 'store.mjs');
  writeFileSync(adapter, plantedStore(plant));
  const store = await probeStore(adapter, [], join(place, 'probe'), 3);
  const directory = join(place, 'blocks');
  const report = await runBlocks({ directory, seed: 3, seconds: 60, disks: 1, store });
  skip(report.skipped !== undefined, report.skipped);
  expect(report.findings.map(({ invariant }) => invariant)).toContain('durable');
  expect(leftBehind(directory)).toEqual([]);
}, 120_000);

test('a campaign of disks that is stopped unmounts what it has mounted', async ({ skip }) => {
  const directory = join(temporaryDirectory(), 'blocks');
  const stop = new AbortController();
  const report = await runBlocks({
    directory,
    seed: 8,
    seconds: 60,
    signal: stop.signal,
    onProgress: () => stop.abort(),
  });
  skip(report.skipped !== undefined, report.skipped);
  expect(report.images).toBeGreaterThan(0);
  expect(leftBehind(directory)).toEqual([]);
  expect(readdirSync(directory)).toEqual([]);
});
