import { describe, expect, test } from 'vitest';
import { judge, type Thresholds } from '../../bench/measuring/verdict.ts';
import { Prng } from '../../harness/prng.ts';

const THRESHOLDS: Thresholds = { alpha: 0.001, leastEffect: 0.05 };
const COMPARISONS = 400;

/**
 * Times of ten processes: 2 µs, 4 % apart by chance, and one in a hundred that a busy machine
 * doubles.
 */
function times(prng: Prng, factor = 1): number[] {
  return Array.from({ length: 10 }, () => {
    const spread = 1 + 0.04 * (prng.below(1000) / 1000);
    return 2000 * factor * spread * (prng.below(100) === 0 ? 2 : 1);
  });
}

function words(factor: number): string[] {
  const prng = Prng.seeded(5);
  return Array.from(
    { length: COMPARISONS },
    () => judge(times(prng), times(prng, factor), THRESHOLDS).word,
  );
}

describe('a verdict', () => {
  test('calls a build that is 20 % slower slower, and never faster', () => {
    const found = words(1.2);
    expect(found.filter((word) => word === 'slower').length).toBeGreaterThan(0.8 * COMPARISONS);
    expect(found).not.toContain('faster');
  });

  test('raises no alarm at all when a build is compared with itself', () => {
    expect(words(1)).not.toContain('slower');
  });

  test('does not count a difference that is sure, but small', () => {
    const base = Array.from({ length: 8 }, (_, index) => 1000 + index);
    const { word, confidence } = judge(
      base,
      base.map((ns) => ns * 1.03),
      THRESHOLDS,
    );
    expect(confidence).toBeGreaterThan(0.99);
    expect(word).toBe('same');
  });

  test('admits that scattered samples show nothing', () => {
    const base = [1000, 4000, 1500, 3000, 900, 2500, 1200, 3500];
    expect(
      judge(
        base,
        base.map((ns) => ns * 1.1),
        THRESHOLDS,
      ).word,
    ).toBe('unclear');
  });
});
