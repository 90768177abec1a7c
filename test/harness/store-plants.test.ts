import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadAdapterModule } from '../../harness/adapters/load-adapter.ts';
import { runSelfTest } from '../../harness/crash/campaign/store-self-test.ts';
import { faultsOf } from '../../harness/crash/faults/injected-fault.ts';
import { parseCalls } from '../../harness/crash/kills/store-calls.ts';
import { plantedStore, STORE_PLANTS } from '../../harness/crash/plants/store-plants.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

test('there are at least 24 plants, each is one mistake in the small store, and each makes a module', async () => {
  expect(STORE_PLANTS.length).toBeGreaterThanOrEqual(24);
  expect(new Set(STORE_PLANTS.map(({ name }) => name)).size).toBe(STORE_PLANTS.length);
  const place = temporaryDirectory();
  for (const plant of STORE_PLANTS) {
    const path = join(place, `${plant.name}.mjs`);
    writeFileSync(path, plantedStore(plant));
    const { open } = await loadAdapterModule(path);
    const directory = join(place, plant.name);
    mkdirSync(directory);
    const store = await open(directory);
    await store.put(Buffer.from('key'), Buffer.from('value'));
    await store.close();
  }
});

test('a plant is caught by a workload without a crash, and the small store is not', async () => {
  const results = await runSelfTest({
    directory: temporaryDirectory(),
    seed: 1,
    seconds: 1,
    parallel: 2,
    parts: ['workload'],
    only: ({ name }) => ['key-through-utf8', 'numbers-begin-again'].includes(name),
  });
  expect(
    results
      .map(({ plant, fate, finding }) => [plant?.name ?? 'as it is', fate, finding?.promise])
      .toSorted(),
  ).toEqual([
    ['as it is', 'passed', undefined],
    ['key-through-utf8', 'caught', 'invented'],
    ['numbers-begin-again', 'caught', 'reads'],
  ]);
}, 60_000);

test('calls are counted that name a file of the store, and no others', () => {
  const text = [
    '12 openat(AT_FDCWD, "/tmp/s/log", O_RDWR|O_CREAT, 0666) = 3</tmp/s/log>',
    '12 openat(AT_FDCWD, "/usr/lib/libc.so", O_RDONLY) = 4</usr/lib/libc.so>',
    '13 pwrite64(3</tmp/s/log>, ""..., 10, 0) = 10',
    '13 write(1<pipe:[77]>, ""..., 10) = 10',
    '13 fsync(3</tmp/s/log> <unfinished ...>',
    '12 pwrite64(5</tmp/sister/log>, ""..., 10, 0) = 10',
    '13 <... fsync resumed>) = 0',
    '13 rename("/tmp/s/new", "/tmp/s/log") = 0',
  ].join('\n');
  expect(parseCalls(text, '/tmp/s')).toEqual({
    calls: [
      { call: 'openat', count: 1 },
      { call: 'pwrite64', count: 1 },
      { call: 'fsync', count: 1 },
      { call: 'rename', count: 1 },
    ],
    paths: ['log', 'new'],
  });
});

test('every error of every call is a fault, alone and from there on; an interrupted call only alone', () => {
  const faults = faultsOf([
    { call: 'fdatasync', count: 2 },
    { call: 'getpid', count: 9 },
  ]);
  expect(faults).toHaveLength(2 * (3 * 2 + 1));
  expect(faults.map(({ inject }) => inject)).toContain('inject=fdatasync:error=EIO:when=2+');
  expect(faults.filter(({ error }) => error === 'EINTR').map(({ inject }) => inject)).toEqual([
    'inject=fdatasync:error=EINTR:when=1',
    'inject=fdatasync:error=EINTR:when=2',
  ]);
});
