import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const WIDTH = 100;

const tracked = execFileSync('git', ['ls-files', '-z'], { encoding: 'utf8' }).split('\0');
const sources = tracked.filter((path) => /\.(?:ts|mjs|md)$/.test(path));

/** What cannot be broken: tables, code, addresses, and what a program writes on one line. */
const isUnbreakable = (line: string) =>
  /^\s*\||^ {4}|https?:\/\/\S{60}|^Measured on /.test(line) || !/\S\s+\S/.test(line.trim());

/** The lines of prose: those of comments in code, and those outside of code blocks in Markdown. */
function proseOf(path: string, text: string): string[] {
  const lines = text.split('\n');
  if (!path.endsWith('.md'))
    return lines.filter((line) => /^\s*(?:\/\*\*|\*|\/\/) (?! {4})/.test(line));
  let inCode = false;
  return lines.filter((line) => {
    if (line.trimStart().startsWith('```')) inCode = !inCode;
    return !inCode && !isUnbreakable(line);
  });
}

test(`prose in code and pages is at most ${WIDTH} columns wide`, () => {
  const wide = sources.flatMap((path) =>
    proseOf(path, readFileSync(path, 'utf8'))
      .filter((line) => [...line].length > WIDTH && !line.includes('biome-ignore'))
      .map((line) => `${path}: ${line}`),
  );
  expect(sources.length).toBeGreaterThan(100);
  expect(wide).toEqual([]);
});
