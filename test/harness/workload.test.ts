import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Oracle } from '../../harness/oracle.ts';
import { type Operation, RowWorkload, SyntheticWorkload } from '../../harness/workload.ts';

function take(seed: number, count: number): Operation[] {
  const oracle = new Oracle(100);
  const workload = new SyntheticWorkload(seed, oracle);
  return Array.from({ length: count }, () => {
    const operation = workload.next();
    if (operation.kind === 'put') oracle.put(operation.keyNumber, operation.version);
    if (operation.kind === 'delete') oracle.delete(operation.keyNumber);
    return operation;
  });
}

test('a seed gives the same operations each time, and another seed others', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 32 - 2 }), (seed) => {
      expect(take(seed, 200)).toEqual(take(seed, 200));
      expect(take(seed, 200)).not.toEqual(take(seed + 1, 200));
    }),
    { numRuns: 20 },
  );
});

test('a third of the operations read, and of the writes one in twenty deletes', () => {
  const operations = take(1, 60_000);
  const count = (kind: string) => operations.filter((operation) => operation.kind === kind).length;
  expect(count('read') / operations.length).toBeCloseTo(1 / 3, 2);
  expect(count('delete') / (count('put') + count('delete'))).toBeCloseTo(0.05, 2);
  expect(new Set(operations.map(({ keyNumber }) => keyNumber)).size).toBe(100);
});

test('the versions of a key count up from one, through deletes', () => {
  const last = new Map<number, number>();
  for (const operation of take(2, 10_000)) {
    if (operation.kind !== 'put') continue;
    expect(operation.version).toBe((last.get(operation.keyNumber) ?? 0) + 1);
    last.set(operation.keyNumber, operation.version);
  }
});

test('rows are put in order, all of them in every pass, and then the stream ends', () => {
  fc.assert(
    fc.property(
      fc.nat(),
      fc.integer({ min: 1, max: 20 }),
      fc.integer({ min: 1, max: 4 }),
      (seed, rowCount, passes) => {
        const rows = { rowCount, keyNumberOfRow: (row: number) => row % 7 };
        const workload = new RowWorkload(seed, rows, passes);
        const puts: Operation[] = [];
        for (
          let operation = workload.next();
          operation !== undefined;
          operation = workload.next()
        ) {
          if (operation.kind === 'put') puts.push(operation);
          else expect(operation.kind).toBe('read');
        }
        expect(puts).toEqual(
          Array.from({ length: passes * rowCount }, (_, index) => ({
            kind: 'put',
            keyNumber: (index % rowCount) % 7,
            version: (index % rowCount) + 1,
          })),
        );
      },
    ),
  );
});
