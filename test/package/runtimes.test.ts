import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { installPacked, pack } from './packed-project.ts';
import { installStrangers, RUNTIMES, runIn } from './strangers.ts';

let directory: string;
let project: string;

beforeAll(() => {
  installStrangers();
  directory = mkdtempSync(join(tmpdir(), 'tidemark-runtime-'));
  project = join(directory, 'project');
  // With the addons built that no other runtime can load: that they lie there must not matter.
  installPacked(pack(directory), project, { peers: ['fast-crc32c'], builtAddons: true });
  writeFileSync(join(project, 'program.mjs'), PROGRAM);
  writeFileSync(join(project, 'killed.mjs'), KILLED);
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const PROGRAM = `
  import { encoded, openReader, openStore, salvage } from 'tidemark';
  const said = [];
  const store = await openStore('data', { segmentBytes: 4096 });
  for (let at = 0; at < 500; at++) store.put('key ' + at % 50, 'value ' + at);
  await Promise.all([store.sync(), store.putDurable('key', 'x'.repeat(5000))]);
  said.push(await openStore('data').catch((error) => error.code));
  const reader = await openReader('data');
  for await (const { txid } of reader.follow({ fromTxid: 1 })) if (txid === 501) break;
  await reader.close();
  encoded(store).put('typed', { deep: [1, null] });
  said.push((await store.compact()).merges > 0, (await store.verify()).damageCount);
  await store.backup('backup');
  await store.exportJsonl('all.jsonl');
  said.push(store.stats().kernelLock, store.stats().checksum);
  await store.close();
  const again = await openStore('data');
  said.push(again.size, String(again.get('key 49')), encoded(again).get('typed').deep.length);
  await again.close();
  said.push((await salvage('backup', 'rescued')).lostCount);
  console.log(JSON.stringify(said));`;

const KILLED = `
  import { openStore } from 'tidemark';
  const store = await openStore('killed');
  if (store.size > 0) { console.log(String(store.get('key'))); await store.close(); }
  else { await store.putDurable('key', 'value'); process.kill(process.pid, 'SIGKILL'); }`;

describe.each(Object.entries(RUNTIMES))('in %s', (_, { program, words, version }) => {
  test('a store does what it does in Node, without the kernel lock and with prebuilt checksums', () => {
    const told = runIn(project, program, [...words, 'program.mjs']);
    expect(told).toEqual({
      status: 0,
      output: '["STORE_LOCKED",true,0,false,"@node-rs/crc32",52,"value 499",2,0]\n',
    });
    for (const name of ['data', 'backup', 'rescued', 'all.jsonl'])
      rmSync(join(project, name), { recursive: true });
  });

  test('a store whose process was killed opens at once, there and in Node', () => {
    runIn(project, program, [...words, 'killed.mjs']);
    for (const [runtime, options] of [
      [program, words],
      [process.execPath, []],
    ] as const)
      expect(runIn(project, runtime, [...options, 'killed.mjs']).output).toBe('value\n');
    rmSync(join(project, 'killed'), { recursive: true });
  });

  test('the command runs, and its doctor says what is missing', () => {
    const main = join('node_modules', 'tidemark', 'dist', 'src', 'cli', 'main.js');
    runIn(project, program, [...words, main, 'put', 'shell', 'key', 'value']);
    const { output } = runIn(project, program, [...words, main, 'doctor', 'shell']);
    expect(output).toContain(`${version}`);
    expect(output).toMatch(/cannot load the kernel lock[\s\S]*verdict: sound\n$/);
    rmSync(join(project, 'shell'), { recursive: true });
  });

  test('tests of the engine that need no part of Node alone pass', () => {
    const files = PORTABLE.map((name) => join('test', 'engine', `${name}.test.ts`));
    const vitest = resolve('node_modules', 'vitest', 'vitest.mjs');
    const { status, output } = runIn(resolve('.'), program, [
      ...words,
      vitest,
      'run',
      '--maxWorkers=1',
      ...files,
    ]);
    expect(status, output).toBe(0);
  });
});

/**
 * A part that takes seconds. All of test/engine passes but for what needs a kernel lock or a
 * container: docs/runtimes.md says how to run it.
 */
const PORTABLE = ['bad-input', 'crc32c', 'damage', 'encoded', 'get-many', 'recovery-verdict'];
