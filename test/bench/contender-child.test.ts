import { spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';

/** Is set up for as long as the process that asked for it lives. */
const MODULE = `
  export function setUp() {
    const asker = process.ppid;
    console.log('setting up');
    while (process.ppid === asker);
    return { works: [], finish: async () => {} };
  }`;

const ASKER = `
  const { fork } = require('node:child_process');
  const child = fork(process.argv[1], { stdio: ['ignore', 'pipe', 'inherit', 'ipc'] });
  child.send({ type: 'set-up', moduleUrl: process.argv[2] });
  child.stdout.once('data', () => process.kill(process.pid, 'SIGKILL'));`;

test('a measured process whose asker was killed ends, and complains to nobody', async () => {
  const moduleUrl = `data:text/javascript,${encodeURIComponent(MODULE)}`;
  const words = ['-e', ASKER, resolve('dist/bench/measuring/contender-child.js'), moduleUrl];
  const asker = spawn(process.execPath, words, { stdio: ['ignore', 'ignore', 'pipe'] });
  let complaints = '';
  // Closed once the measured process, too, has ended.
  for await (const piece of asker.stderr) complaints += piece;
  expect(complaints).toBe('');
});
