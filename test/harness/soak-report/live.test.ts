import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { freePort } from '../../support/free-port.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { until } from '../../support/until.ts';
import { readSamples, runSoak, startSoak } from '../soak/soak-command.ts';

test('--serve shows the page and the metrics while the soak runs, and ends with it', async () => {
  const out = join(temporaryDirectory(), 'out');
  const port = await freePort();
  const words = [
    '--seconds',
    '600',
    '--keys',
    '200',
    '--sample-ms',
    '50',
    '--serve',
    String(port),
    '--out',
    out,
  ];
  const soak = startSoak(words);
  onTestFinished(() => void soak.process.kill('SIGKILL'));
  await until(() => readSamples(out).some(({ puts }) => Number(puts) > 0));
  const page = await fetch(`http://127.0.0.1:${port}/`);
  expect([page.status, page.headers.get('content-type')]).toEqual([
    200,
    expect.stringContaining('text/html'),
  ]);
  expect(await page.text()).toContain('<!doctype html>');
  const metrics = await fetch(`http://127.0.0.1:${port}/metrics`);
  expect(metrics.status).toBe(200);
  process.kill(-(soak.process.pid as number), 'SIGINT');
  expect((await soak.result).code).toBe(130);
  await expect(fetch(`http://127.0.0.1:${port}/`)).rejects.toThrow();
});

test('a port in use is refused before anything is written', async () => {
  const blocker = createServer();
  await new Promise<void>((resolve) => blocker.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void blocker.close());
  const { port } = blocker.address() as AddressInfo;
  const out = temporaryDirectory();
  const { code, stderr } = await runSoak(['--serve', String(port), '--out', out]);
  expect(stderr).toMatch(/^soak: --serve: port \d+ on 127\.0\.0\.1 is in use/);
  expect(code).toBe(2);
});
