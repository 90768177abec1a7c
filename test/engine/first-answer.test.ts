import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openStore } from '../../src/engine/index.ts';

const ENGINE = new URL('../../dist/src/engine/index.js', import.meta.url).href;

/**
 * Says which costly parts a process has loaded: the native checksum, the kernel locks, and the
 * lease (signal-exit leaves a name in `process`).
 */
const LOADED = `
  const loaded = (name) => Object.keys(Module._cache).some((file) => file.includes(name));
  console.log(JSON.stringify({
    checksum: loaded('crc32'),
    kernelLocks: loaded('fs-native-extensions'),
    lease: '__signal_exit_emitter__' in process,
  }));`;

let directory: string;

function loadedAfter(code: string): unknown {
  const program = `
    import Module from 'node:module';
    import { openReader, openStore } from ${JSON.stringify(ENGINE)};
    const directory = ${JSON.stringify(directory)};
    ${code}
    ${LOADED}`;
  const { stdout, stderr } = spawnSync(
    process.execPath,
    ['--input-type=module', '--eval', program],
    { encoding: 'utf8' },
  );
  expect(stderr).toBe('');
  return JSON.parse(stdout);
}

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'tidemark-first-answer-'));
  const store = await openStore(directory);
  store.put('key', 'value');
  await store.close();
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

test('importing the engine loads neither native code nor the lease', () => {
  expect(loadedAfter('')).toEqual({ checksum: false, kernelLocks: false, lease: false });
});

test('a reader answers from a small store without any of them', () => {
  const code = `
    const reader = await openReader(directory);
    if (reader.get('key')?.toString() !== 'value') throw new Error('no answer');
    await reader.close();`;
  expect(loadedAfter(code)).toEqual({ checksum: false, kernelLocks: false, lease: false });
});

test('a writer holds both locks', () => {
  const code = `
    const store = await openStore(directory);
    if (store.get('key')?.toString() !== 'value') throw new Error('no answer');
    await store.close();`;
  expect(loadedAfter(code)).toMatchObject({ kernelLocks: true, lease: true });
});
