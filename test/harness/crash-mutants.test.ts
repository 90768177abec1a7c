import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { applyEdit } from '../../harness/crash/plants/mutant.ts';
import { engineFile } from '../../harness/crash/plants/mutant-copy.ts';
import { MUTANTS } from '../../harness/crash/plants/mutants.ts';

describe('the list of mutants', () => {
  test('has many, each with a name of its own', () => {
    expect(MUTANTS.length).toBeGreaterThanOrEqual(25);
    expect(new Set(MUTANTS.map(({ name }) => name)).size).toBe(MUTANTS.length);
  });

  test.each(MUTANTS.map((mutant) => [mutant.name, mutant] as const))(
    '%s can be planted into the engine as it is now, and changes it',
    (_name, { edits }) => {
      const files = new Map<string, string>();
      for (const edit of edits) {
        const before = files.get(edit.file) ?? engineFile(edit.file);
        files.set(edit.file, applyEdit(before, edit));
        expect(files.get(edit.file)).not.toBe(before);
      }
    },
  );

  test('the page that describes them has a row for each, in order, and the guide their number', () => {
    const page = readFileSync('docs/harness-crash.md', 'utf8');
    const table = page.slice(page.indexOf('\n| mutant | mistake |'));
    const rows = [
      ...table.matchAll(/^\| ([a-z-]+) \| (.*?) \| (?:states|corpus|corners|upkeep): /gm),
    ];
    expect(rows.map(([, name, mistake]) => ({ name, mistake }))).toEqual(
      MUTANTS.map(({ name, mistake }) => ({ name, mistake })),
    );
    const guide = readFileSync('docs/harness.md', 'utf8');
    expect(guide).toContain(`There are ${MUTANTS.length};`);
  });

  test('an edit whose place is not there, or there twice, is refused', () => {
    const edit = { file: 'f', find: 'a  (b)', replace: '' };
    expect(applyEdit('x a\n(b) y', edit)).toBe('x  y');
    expect(() => applyEdit('a b', edit)).toThrow(/0 times in f/);
    expect(() => applyEdit('a (b) a (b)', edit)).toThrow(/2 times in f/);
  });
});
