import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { expect, onTestFinished, test } from 'vitest';
import { viewProcess } from '../../../harness/soak/sampling/process-view.ts';
import { processState } from '../../support/process-state.ts';
import { until } from '../../support/until.ts';

test.runIf(process.platform === 'linux')(
  'a process that has lost its memory and is not yet gone shows nothing, rather than zeros',
  async () => {
    const parent = spawn('sh', ['-c', 'sleep 60 & echo $!; exec sleep 60'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    onTestFinished(() => void parent.kill('SIGKILL'));
    const [line] = await once(createInterface({ input: parent.stdout }), 'line');
    const commandOf = (pid: number | string | undefined) =>
      readFileSync(`/proc/${pid}/stat`, 'utf8');
    // What the shell has become never asks how its child ended, which so stays as it is between a
    // kill and its end.
    await until(() => commandOf(parent.pid).includes('(sleep)'));
    process.kill(Number(line), 'SIGKILL');
    await until(() => processState(line) === 'Z');
    expect(await viewProcess(Number(line))).toEqual({});
    expect((await viewProcess(process.pid)).rssBytes).toBeGreaterThan(0);
  },
);
