import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { expect, onTestFinished, test } from 'vitest';
import { viewProcess } from '../../../harness/soak/process-view.ts';
import { until } from './soak-command.ts';

test.runIf(process.platform === 'linux')(
  'a process that has lost its memory and is not yet gone shows nothing, rather than zeros',
  async () => {
    // The child ends at once, and its parent never asks: it stays as it is between a kill and its end.
    const parent = spawn('sh', ['-c', 'true & echo $!; exec sleep 60'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    onTestFinished(() => void parent.kill('SIGKILL'));
    const [line] = await once(createInterface({ input: parent.stdout }), 'line');
    await until(() => / Z /.test(readFileSync(`/proc/${line}/stat`, 'utf8')));
    expect(await viewProcess(Number(line))).toEqual({});
    expect((await viewProcess(process.pid)).rssBytes).toBeGreaterThan(0);
  },
);
