import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { openStore } from '../../src/engine/index.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { tidemark } from './cli-process.ts';

const MAIN = 'dist/src/cli/main.js';

/** More than a pipe holds, so that whoever prints it to one that nobody reads waits in a call. */
async function storeLargerThanPipes(): Promise<string> {
  const directory = join(temporaryDirectory(), 'store');
  const store = await openStore(directory);
  for (let index = 0; index < 4_000; index++) store.put(`key-${index}`, Buffer.alloc(60, 0x61));
  await store.close();
  return directory;
}

function started(words: readonly string[]): ChildProcess {
  const child = spawn(process.execPath, [MAIN, ...words], { stdio: ['ignore', 'pipe', 'ignore'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  return child;
}

/** Nobody reads its standard output: the first bytes in the pipe say that it has begun to print. */
async function hasBegun(child: ChildProcess): Promise<void> {
  await new Promise<void>((resolve) => child.stdout?.once('readable', resolve));
}

function ended(child: ChildProcess): Promise<[number | null, NodeJS.Signals | null]> {
  return new Promise((resolve) => child.once('exit', (code, signal) => resolve([code, signal])));
}

test.each(['scan', 'dump', 'export'])(
  'a signal ends %s, which waits for a pipe that nobody reads',
  async (command) => {
    const directory = await storeLargerThanPipes();
    const child = started([command, directory, ...(command === 'export' ? ['-'] : [])]);
    await hasBegun(child);
    const end = ended(child);
    child.kill('SIGTERM');
    expect(await end).toEqual([null, 'SIGTERM']);
  },
);

test.each([
  ['verify', ['--bytes-per-second', '1']],
  ['scan', ['--follow', '--from', '9:0']],
])('a signal ends %s, which waits for time to pass', async (command, options) => {
  const directory = await storeLargerThanPipes();
  const child = started([command, directory, ...options]);
  const end = ended(child);
  // However far it has come: it would never end by itself.
  child.kill('SIGTERM');
  expect(await end).toEqual([null, 'SIGTERM']);
});

test.runIf(existsSync('/usr/bin/mkfifo'))(
  'a pipe in the place of a segment holds up no command',
  async () => {
    const directory = join(temporaryDirectory(), 'store');
    mkdirSync(directory);
    spawnSync('mkfifo', [join(directory, '00000001.dwal')]);
    writeFileSync(join(directory, '00000002.dwal'), '');
    const results = await Promise.all([
      tidemark('hexdump', directory, '1:0'),
      tidemark('report', directory),
      tidemark('stats', directory),
    ]);
    expect(results[0]?.stderr).toMatch(/00000001\.dwal is no plain file/);
    expect(results.map(({ status }) => status !== null)).toEqual([true, true, true]);
  },
);
