import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { complain, print } from '../../harness/standard-streams.ts';
import { UsageError } from './bench-directory.ts';
import type { Result } from './result.ts';
import { countTable, rowTable, textOf } from './table.ts';

export { print } from '../../harness/standard-streams.ts';

/** Writes to standard error, so that standard output holds a table or JSON alone. */
export function progress(line: string): void {
  complain(line);
}

/** Whole or not at all: a reader never finds half a file. */
export function writeJson(path: string, content: unknown): void {
  try {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(`${path}.part`, `${JSON.stringify(content, null, 2)}\n`);
    renameSync(`${path}.part`, path);
  } catch (error) {
    throw new UsageError(
      `cannot write ${path}: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

export function describeRun(result: Result): string {
  return describeMachine(result, '16-byte keys, 100-byte values, warm cache; ');
}

/** `work` says what was measured, where that is the same for the whole table. */
export function describeMachine({ host, versions, load, scale }: Result, work = ''): string {
  const lines = [
    `Node ${versions.node}, ${versions.checksum}, ${host.cores} x ${host.cpu}, ${host.platform} ${host.release}, ${host.fileSystem}`,
    `${work}load ${load.before} before the run, ${load.after} after it`,
  ];
  if (Math.max(load.before, load.after) > host.cores) {
    lines.push(
      'others kept the machine busy, so times are inflated and targets mean little: measure again',
    );
  }
  if (scale !== 1)
    lines.push(`a quick look: ${scale} of the keys and calls, so targets mean little`);
  return lines.join('\n');
}

export function printResult(result: Result): void {
  print(describeRun(result));
  if (result.rows.length > 0) print(`\n${textOf(rowTable(result.rows))}`);
  if (result.counts.length > 0) print(`\n${textOf(countTable(result))}`);
}
