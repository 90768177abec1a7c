import { expect, test } from 'vitest';
import { judgeFloors, type WorkDone } from '../../../harness/soak/gates/floors.ts';

const TOTALS = {
  ...{ operations: 400, puts: 300, deletes: 20, reads: 80, syncs: 5, rotates: 0, byTime: 0 },
  ...{ compacts: 1, reopens: 3, bytesWritten: 1, keysChecked: 1 },
};
const ENOUGH: WorkDone = {
  configuration: {
    workload: {
      mix: { put: 1, delete: 1, get: 1 },
      distribution: { kind: 'uniform' },
      sizes: [],
      syncEveryOperations: 100,
      reopenEveryBytes: 1,
      compactEveryReopens: 1,
    },
  },
  totals: TOTALS,
  keyCount: 100,
  canCompact: true,
  canSync: true,
  kills: { asked: 4, made: 4 },
};

const belowFloor = (done: WorkDone) =>
  judgeFloors(done).filter(({ verdict }) => verdict === 'inconclusive');

test('a run that did enough of everything is above every floor', () => {
  expect(belowFloor(ENOUGH)).toEqual([]);
});

test.each<[string, Partial<WorkDone>, RegExp]>([
  [
    'floor_operations_per_key',
    { keyCount: 20_000 },
    /^0\.0 per key: 400 operations on 20,000 keys, and at least 2 are needed; .*fewer keys/,
  ],
  ['floor_syncs', { totals: { ...TOTALS, syncs: 2 } }, /^2 syncs, and at least 3 are needed/],
  [
    'floor_reopens',
    { totals: { ...TOTALS, reopens: 1 }, kills: { asked: 1, made: 1 } },
    /^2 reopenings, and at least 3/,
  ],
  ['floor_compactions', { totals: { ...TOTALS, compacts: 0 } }, /^0 compactions, and at least 1/],
  ['floor_kills', { kills: { asked: 4, made: 1 } }, /^1 kills, .*at least 4 are needed/],
])('%s: too little is inconclusive, and the number is told', (name, change, detail) => {
  const below = belowFloor({ ...ENOUGH, ...change });
  expect(below.map((gate) => gate.name)).toEqual([name]);
  expect(below[0]?.detail).toMatch(detail);
});

test('what the workload does not do, or the store cannot, has no floor', () => {
  const workload = {
    ...ENOUGH.configuration.workload,
    ...{ syncEveryOperations: 0, reopenEveryBytes: 0 },
  };
  const gates = judgeFloors({
    ...ENOUGH,
    configuration: { workload },
    kills: { asked: 0, made: 0 },
  });
  expect(gates.map(({ name }) => name)).toEqual(['floor_operations_per_key']);
  const names = judgeFloors({ ...ENOUGH, canCompact: false }).map(({ name }) => name);
  expect(names).not.toContain('floor_compactions');
});
