import { describe, expect, test } from 'vitest';
import { JUDGED_EQUAL } from '../../../harness/mutate/judged-equal.ts';
import { testsOf } from '../../../harness/mutate/mutant-judgement.ts';
import { engineFiles } from '../../../harness/mutate/mutated-copy.ts';
import { applyPoint, mutationPoints } from '../../../harness/mutate/mutation-points.ts';

const TEXT = `class Counter {
  async count(limit) {
    if (limit > 3) this.tell();
    return limit < 9 ? await this.next() : limit;
  }
  async end() {
    await this.next();
    super.end();
  }
}`;

describe('the places where a small mistake can be made', () => {
  const points = mutationPoints('counter', TEXT);

  test('are conditions, calls, awaits and bounds, each named by its function and code', () => {
    expect(points.map(({ name }) => name)).toEqual([
      'counter/count negated: limit > 3',
      'counter/count bound moved: limit > 3',
      'counter/count call left out: this.tell()',
      'counter/count negated: limit < 9',
      'counter/count bound moved: limit < 9',
      'counter/count await left out: await this.next()',
      'counter/end call left out: await this.next()',
      'counter/end await left out: await this.next()',
      'counter/end call left out: super.end()',
    ]);
  });

  test('become one other text each, in which only that place is another', () => {
    const texts = points.map((point) => applyPoint(TEXT, point));
    expect(new Set(texts).size).toBe(points.length);
    expect(texts).not.toContain(TEXT);
    expect(texts[0]).toContain('if (!(limit > 3)) this.tell();');
    expect(texts[1]).toContain('if (limit >= 3) this.tell();');
    expect(texts[2]).toContain('if (limit > 3) ;');
    expect(texts[5]).toContain('limit < 9 ? (this.next()) : limit');
  });
});

describe('the engine', () => {
  const files = engineFiles();
  const names = files.flatMap((file) =>
    mutationPoints(file.name, file.text).map(({ name }) => name),
  );

  test('has thousands of such places, each with a name of its own', () => {
    expect(names.length).toBeGreaterThan(2000);
    expect(new Set(names).size).toBe(names.length);
  });

  test('has every place that is judged equal, and a reason stands beside each', () => {
    const unknown = Object.keys(JUDGED_EQUAL).filter((name) => !names.includes(name));
    expect(unknown).toEqual([]);
    for (const reason of Object.values(JUDGED_EQUAL)) expect(reason.length).toBeGreaterThan(20);
  });

  test('has tests for its files, found by their imports and their names', () => {
    const file = files.find(({ name }) => name === 'seal-file');
    expect(file && testsOf(file)).toContain('test/engine/seal-file.test.ts');
  });
});
