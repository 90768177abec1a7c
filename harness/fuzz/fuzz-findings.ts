import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { FuzzFailure } from './fuzz-messages.ts';
import type { FuzzInput } from './fuzz-target.ts';

const REPORT_FILE = 'finding.json';

/**
 * Writes a finding into a directory of its own; returns that directory. Names of parts need not be
 * names of files.
 */
export function keepFinding(outDirectory: string, seed: number, finding: FuzzFailure): string {
  const directory = join(outDirectory, `${finding.target}-${seed}-${finding.index}`);
  mkdirSync(directory, { recursive: true });
  const parts = [...finding.input].map(([name, bytes], index) => {
    const file = `part-${index}`;
    writeFileSync(join(directory, file), bytes);
    return { name, file };
  });
  const { target, index, message } = finding;
  const report = { target, seed, index, message, parts };
  writeFileSync(join(directory, REPORT_FILE), `${JSON.stringify(report, null, 2)}\n`);
  return directory;
}

/** Throws when the directory holds no finding. */
export function readFinding(directory: string): { target: string; input: FuzzInput } {
  const { target, parts } = JSON.parse(readFileSync(join(directory, REPORT_FILE), 'utf8')) as {
    target: string;
    parts: { name: string; file: string }[];
  };
  const there = new Set(readdirSync(directory));
  return {
    target,
    input: new Map(
      parts
        .filter(({ file }) => there.has(file))
        .map(({ name, file }) => [name, readFileSync(join(directory, file))]),
    ),
  };
}

export function reproduceCommand(directory: string): string {
  return `npm run fuzz -- --reproduce ${relative(process.cwd(), directory)}`;
}
