import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const MAIN = new URL('../../../dist/harness/soak/main.js', import.meta.url).pathname;
export const LYING_STORE = new URL('./lying-store.mjs', import.meta.url).pathname;

export interface SoakResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunningSoak {
  readonly process: ChildProcess;
  readonly result: Promise<SoakResult>;
  /** The pid that the first line names. */
  readonly storeProcess: Promise<number>;
}

/** The compiled command, in a process group of its own, as a terminal would start it. */
export function startSoak(words: readonly string[], lie?: string): RunningSoak {
  const child = spawn(process.execPath, [MAIN, ...words], {
    detached: true,
    env: { ...process.env, LIE: lie },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  child.stdout.on('data', (chunk) => {
    stdout += chunk;
  });
  const lines: string[] = [];
  const storeProcess = new Promise<number>((resolve) => {
    createInterface({ input: child.stderr }).on('line', (line) => {
      lines.push(line);
      const pid = /store process (\d+)$/.exec(line)?.[1];
      if (pid !== undefined) resolve(Number(pid));
    });
  });
  const result = new Promise<SoakResult>((resolve) => {
    child.once('close', (code) => resolve({ code, stdout, stderr: lines.join('\n') }));
  });
  return { process: child, result, storeProcess };
}

export function runSoak(words: readonly string[], lie?: string): Promise<SoakResult> {
  return startSoak(words, lie).result;
}

/** `samples.csv` as an object a line, by column name. */
export function readSamples(out: string): Record<string, string>[] {
  const path = join(out, 'samples.csv');
  if (!existsSync(path)) return [];
  const [header = '', ...rows] = readFileSync(path, 'utf8').trimEnd().split('\n');
  const names = header.split(',');
  return rows.map((row) => {
    const cells = row.split(',');
    return Object.fromEntries(names.map((name, index) => [name, cells[index] ?? '']));
  });
}

export function readSummary(out: string) {
  return JSON.parse(readFileSync(join(out, 'summary.json'), 'utf8'));
}
