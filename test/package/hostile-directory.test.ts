import { execFileSync } from 'node:child_process';
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { Registry } from 'prom-client';
import { describe, expect, onTestFinished, test } from 'vitest';
import { openReader, openStore, salvage } from '../../src/engine/index.ts';
import { prometheusProbe, serveMetrics } from '../../src/telemetry/prometheus.ts';
import { rejectionOf } from '../support/rejection.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

async function storeWith(pairs: Readonly<Record<string, string>>): Promise<string> {
  const directory = join(temporaryDirectory(), 'store');
  const store = await openStore(directory);
  for (const [key, value] of Object.entries(pairs)) store.put(key, value);
  await store.close();
  return directory;
}

describe('names in a store directory', () => {
  test('what is no regular file under a name of the store is not opened as one', async () => {
    const directory = await storeWith({ key: 'value' });
    mkdirSync(join(directory, '00000002.dwal'));
    execFileSync('mkfifo', [join(directory, '00000003.dwal')]);
    symlinkSync('/dev/zero', join(directory, '00000004.dwal'));
    symlinkSync('/dev/zero', join(directory, '00000001.seal'));
    const reader = await openReader(directory);
    expect(reader.get('key')).toEqual(Buffer.from('value'));
    await reader.close();
  });

  test('a directory of a thousand strange names opens, and none of them is touched', async () => {
    const directory = await storeWith({ key: 'value' });
    const names = Array.from(
      { length: 1000 },
      (_, index) => `${index % 2 === 0 ? '-rf ' : '..%2f'}\u202e${index}.dwal`,
    );
    for (const name of names) writeFileSync(join(directory, name), 'precious');
    const store = await openStore(directory);
    await store.close();
    for (const name of names) expect(readFileSync(join(directory, name), 'utf8')).toBe('precious');
  });

  test('salvage writes into its target and nowhere else', async () => {
    const directory = await storeWith({ '../../escape': 'value', '/etc/passwd': 'value' });
    const root = temporaryDirectory();
    await salvage(directory, join(root, 'rescued'));
    expect(readdirSync(root)).toEqual(['rescued']);
  });

  test('a store directory that is itself a symbolic link is followed', async () => {
    const directory = await storeWith({ key: 'value' });
    const link = join(temporaryDirectory(), 'link');
    symlinkSync(directory, link);
    const store = await openStore(link);
    expect(store.get('key')).toEqual(Buffer.from('value'));
    await store.close();
  });
});

describe('permissions', () => {
  test('whatever the umask, files and directories belong to the user alone', async () => {
    const previous = process.umask(0);
    try {
      const directory = join(temporaryDirectory(), 'deeper', 'store');
      const store = await openStore(directory);
      store.put('key', 'value');
      store.rotate();
      store.put('key', 'other');
      await store.sync();
      await store.exportJsonl(join(directory, '..', 'rows.jsonl'));
      await store.close();
      writeFileSync(join(directory, '00000002.dwal'), 'DWAL', { flag: 'a' });
      const torn = await openStore(directory, { acceptAmbiguousTail: true });
      await torn.close();
      const modes = (path: string) => (statSync(path).mode & 0o777).toString(8);
      const files = readdirSync(directory, { recursive: true, withFileTypes: true });
      expect(files.length).toBeGreaterThan(5);
      for (const entry of files) {
        const path = join(entry.parentPath, entry.name);
        expect([path, modes(path)]).toEqual([path, entry.isDirectory() ? '700' : '600']);
      }
      expect([
        modes(directory),
        modes(join(directory, '..')),
        modes(join(directory, '..', 'rows.jsonl')),
      ]).toEqual(['700', '700', '600']);
    } finally {
      process.umask(previous);
    }
  });
});

describe('the metrics server', () => {
  test('listens on loopback, and says nothing back of what it was asked', async () => {
    const registry = new Registry();
    const server = await serveMetrics({
      registry,
      probes: [prometheusProbe({ registry })],
      port: 0,
    });
    onTestFinished(() => server.close());
    expect(new URL(server.url).hostname).toBe('127.0.0.1');
    const marker = 'reflected<script>';
    for (const path of [
      `/${marker}`,
      `/metrics?${marker}`,
      `/healthz#${marker}`,
      `/%00${marker}`,
    ]) {
      const answer = await fetch(`${server.url}${path}`, {
        headers: { 'x-marker': marker, host: 'evil.invalid' },
      });
      expect(`${await answer.text()}${[...answer.headers]}`).not.toContain('reflected');
      expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
    }
    expect((await fetch(`${server.url}/metrics`, { method: 'POST', body: marker })).status).toBe(
      405,
    );
  });
});

describe('threads', () => {
  test('two threads of one process exclude each other, and a thread that ends lets go', async () => {
    const directory = await storeWith({ key: 'value' });
    const store = await openStore(directory);
    const attempt = () =>
      new Promise<string>((resolve, reject) => {
        const code = `
          const { workerData, parentPort } = require('node:worker_threads');
          import('tidemark').then(({ openStore }) => openStore(workerData)).then(
            async (store) => { const value = store.get('key').toString(); await store.close(); parentPort.postMessage(value); },
            (error) => parentPort.postMessage(error.code),
          );`;
        const worker = new Worker(code, { eval: true, workerData: directory });
        worker.once('message', resolve);
        worker.once('error', reject);
      });
    expect(await attempt()).toBe('STORE_LOCKED');
    expect(await rejectionOf(openStore(directory))).toMatchObject({ code: 'STORE_LOCKED' });
    store.put('still', 'writing');
    await store.close();
    expect(await attempt()).toBe('value');
  });
});
