import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { withComparison } from '../../bench/measuring/readme-comparison.ts';

const readme = readFileSync('README.md', 'utf8');
const performance = readFileSync('docs/performance.md', 'utf8');

test('the comparison in README.md is that of docs/performance.md', () => {
  // `npm run bench -- document` makes both.
  expect(withComparison(readme, performance)).toBe(readme);
});

test('a figure that changes there, or a work that has no word here, is noticed', () => {
  const [figure] = /(?<=\| durable put, alone \| )[\d.]+ [µnm]s/.exec(
    performance,
  ) as RegExpExecArray;
  expect(withComparison(readme, performance.replace(`alone | ${figure}`, 'alone | 1 ns'))).not.toBe(
    readme,
  );
  expect(() =>
    withComparison(readme, performance.replace('| read all pairs, each |', '| new work |')),
  ).toThrow('new work');
  expect(() => withComparison('no block', performance)).toThrow('has no block');
});
