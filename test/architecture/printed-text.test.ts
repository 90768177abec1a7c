import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

/**
 * What is printed may hold the text of strangers, so that it goes by the functions that escape it.
 * These write themselves: those functions, lines that a terminal replaces, and what no person
 * reads.
 */
const WRITERS = [
  'bench/measuring/open-memory-child.ts',
  'dashboards/check/subject.ts',
  'harness/standard-streams.ts',
  'src/cli/main.ts',
  'src/cli/output.ts',
  'src/cli/progress.ts',
  'src/cli/standard-streams.ts',
];

test('nothing is printed but by the functions that escape what a terminal would obey', () => {
  const writers = ['src', 'harness', 'bench', 'dashboards']
    .flatMap((folder) =>
      readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => `${folder}/${name}`),
    )
    .filter((path) => path.endsWith('.ts') && !path.includes('/page/'))
    .filter((path) => /std(?:out|err)\.write\(|console\.\w+\(/.test(readFileSync(path, 'utf8')));
  expect(writers.sort()).toEqual(WRITERS);
});
