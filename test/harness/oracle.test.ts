import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Oracle } from '../../harness/oracle.ts';

test('the oracle agrees with a map after any puts and deletes', () => {
  const operation = fc.record({ put: fc.boolean(), keyNumber: fc.nat({ max: 9 }) });
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 100 }), (operations) => {
      const oracle = new Oracle(10);
      const live = new Map<number, number>();
      for (const [index, { put, keyNumber }] of operations.entries()) {
        if (put) {
          oracle.put(keyNumber, index + 1);
          live.set(keyNumber, index + 1);
        } else {
          oracle.delete(keyNumber);
          live.delete(keyNumber);
        }
      }
      expect(oracle.liveCount).toBe(live.size);
      for (let keyNumber = 0; keyNumber < 10; keyNumber++) {
        expect(oracle.liveVersionOf(keyNumber)).toBe(live.get(keyNumber) ?? 0);
        const lastPut = operations.findLastIndex(
          (each) => each.put && each.keyNumber === keyNumber,
        );
        expect(oracle.lastVersionOf(keyNumber)).toBe(lastPut + 1);
      }
    }),
  );
});
