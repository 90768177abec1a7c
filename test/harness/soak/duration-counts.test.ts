import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DurationCounts, type TakenDurations } from '../../../harness/soak/run/duration-counts.ts';

const durations = fc.array(fc.double({ min: 1, max: 6e11, noNaN: true }), {
  minLength: 1,
  maxLength: 200,
});

test('what several processes timed adds up to one distribution, exact in count, mean and most, near in percentiles', () => {
  fc.assert(
    fc.property(fc.array(durations, { minLength: 1, maxLength: 4 }), (lives) => {
      const total = new DurationCounts();
      for (const life of lives) {
        const counts = new DurationCounts();
        for (const ns of life) counts.record(ns);
        total.add(counts.take() as TakenDurations);
        expect(counts.take()).toBeUndefined();
      }
      const all = lives.flat().sort((a, b) => a - b);
      const described = total.describe('put');
      expect(described?.count).toBe(all.length);
      expect(described?.maxUs).toBeCloseTo((all.at(-1) as number) / 1000, 6);
      const exactUs = (all[Math.ceil(all.length / 2) - 1] as number) / 1000;
      expect(described?.p50Us).toBeGreaterThanOrEqual(exactUs * 0.999_999);
      expect(described?.p50Us).toBeLessThanOrEqual(exactUs * 1.0221);
      expect(described?.buckets.reduce((sum, { count }) => sum + count, 0)).toBe(all.length);
    }),
  );
});
