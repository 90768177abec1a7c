import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { installPacked, pack } from './packed-project.ts';

let directory: string;
let tarball: string;
let full: string;
let bare: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'tidemark-package-'));
  tarball = pack(directory);
  full = join(directory, 'full');
  bare = join(directory, 'bare');
  installPacked(tarball, full, { peers: ['prom-client', '@opentelemetry/api'], builtAddons: true });
  installPacked(tarball, bare, { peers: [], builtAddons: false });
});

afterAll(() => rmSync(directory, { recursive: true, force: true }));

function run(
  project: string,
  code: string,
  ...flags: string[]
): { status: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [...flags, '-e', code], {
    cwd: project,
    encoding: 'utf8',
  });
  return { status, output: `${stdout}${stderr}` };
}

const RUN_STORE = `
  const store = await openStore('data');
  await store.putDurable('key', 'value');
  console.log(Buffer.from(store.get('key')).toString(), store.stats().checksum?.source ?? 'checked');
  await store.close();`;

describe('the tarball', () => {
  test('holds compiled sources with their types, the documents of a package, and nothing else', () => {
    const names = execFileSync('tar', ['-tzf', tarball], { encoding: 'utf8' }).trim().split('\n');
    const others = names.filter(
      (name) =>
        !/^package\/dist\/src\/(?:engine|telemetry|cli)(?:\/[\w-]+)+\.(?:js|d\.ts)$/.test(name),
    );
    expect(others.toSorted()).toEqual([
      'package/CHANGELOG.md',
      'package/LICENSE',
      'package/README.md',
      'package/package.json',
    ]);
    const sources = ['engine', 'telemetry', 'cli'].flatMap((folder) =>
      readdirSync(join('src', folder), { recursive: true, encoding: 'utf8' })
        .filter((name) => name.endsWith('.ts'))
        .map((name) => `package/dist/src/${folder}/${name.replace(/\.ts$/, '.js')}`),
    );
    // What was renamed or removed may still lie in dist of a working copy; nothing may be missing.
    expect(sources.filter((name) => !names.includes(name))).toEqual([]);
  });

  test.each(['publint', 'attw'])('%s finds nothing wrong with it', (tool) => {
    const words = {
      publint: ['run', tarball, '--strict'],
      attw: [tarball, '--profile', 'esm-only'],
    }[tool] as string[];
    const bin = resolve('node_modules', '.bin', tool);
    const { status, stdout, stderr } = spawnSync(bin, words, { encoding: 'utf8' });
    expect([status, status === 0 ? '' : stdout + stderr]).toEqual([0, '']);
  });
});

describe('installed', () => {
  test('a store runs, with native addons built and without', () => {
    const code = `import { openStore } from 'tidemark'; ${RUN_STORE}`;
    for (const project of [full, bare]) {
      const { status, output } = run(project, code, '--input-type=module');
      expect([status, output]).toEqual([0, expect.stringMatching(/^value /)]);
    }
  });

  test('require gives the same store, where Node can require an ES module', () => {
    const code = `const { openStore } = require('tidemark'); (async () => { ${RUN_STORE} })();`;
    const { status, output } = run(full, code, '--input-type=commonjs');
    expect([status, output]).toEqual([0, expect.stringContaining('value')]);
  });

  test('without the optional peers the engine and both probes load; with them they report', () => {
    const load =
      "await import('tidemark/otel'); await import('tidemark/prometheus'); console.log('loaded');";
    const metrics = `import { Registry } from 'prom-client'; import { openStore } from 'tidemark';
      import { prometheusProbe } from 'tidemark/prometheus'; import { otelProbe } from 'tidemark/otel';
      const registry = new Registry();
      const store = await openStore('observed', { probe: [prometheusProbe({ registry }), otelProbe({ mode: 'off' })] });
      store.put('key', 'value');
      console.log((await registry.metrics()).match(/^tidemark_puts_total.*$/m)[0]);
      await store.close();`;
    const observed = run(full, metrics, '--input-type=module');
    expect([observed.status, observed.output]).toEqual([
      0,
      'tidemark_puts_total{store="observed"} 1\n',
    ]);
    const loaded = run(bare, load, '--input-type=module');
    // A missing peer is named; anything else is a mistake in the package.
    if (loaded.status !== 0)
      expect(loaded.output).toContain("Cannot find package '@opentelemetry/api'");
    const prometheusAlone = run(
      bare,
      "await import('tidemark/prometheus'); console.log('loaded');",
      '--input-type=module',
    );
    expect([prometheusAlone.status, prometheusAlone.output]).toEqual([0, 'loaded\n']);
  });

  test('a thread has its own store, and the same directory twice is a typed error', () => {
    const code = `
      import { Worker } from 'node:worker_threads';
      import { openStore } from 'tidemark';
      const store = await openStore('shared');
      const inThread = (directory) => new Promise((resolve, reject) => {
        const worker = new Worker(\`
          import('tidemark').then(({ openStore }) => openStore(\${JSON.stringify(directory)}))
            .then(async (store) => { store.put('a', 'b'); await store.close(); return 'opened'; }, (error) => error.code)
            .then(async (said) => (await import('node:worker_threads')).parentPort.postMessage(said));\`, { eval: true });
        worker.once('message', resolve); worker.once('error', reject);
      });
      console.log(await inThread('shared'), await inThread('own-1'), await inThread('own-2'));
      await store.close();`;
    const { status, output } = run(full, code, '--input-type=module');
    expect([status, output]).toEqual([0, 'STORE_LOCKED opened opened\n']);
  });

  test('the command runs from where npm puts it', () => {
    const main = join(bare, 'node_modules', 'tidemark', 'dist', 'src', 'cli', 'main.js');
    expect(readFileSync(main, 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n/);
    const { status, stdout } = spawnSync(process.execPath, [main, '--help'], {
      cwd: bare,
      encoding: 'utf8',
    });
    expect([status, stdout]).toEqual([0, expect.stringContaining('hexdump')]);
  });

  test('its types are whole for a strict TypeScript project that checks libraries as well', () => {
    writeFileSync(
      join(full, 'use.mts'),
      `import { openStore, StoreError, type Probe, type RecordRef } from 'tidemark';
       import { otelProbe } from 'tidemark/otel';
       const probe: Probe = otelProbe({ mode: 'all' });
       const store = await openStore('data', { probe: [probe] });
       const ref: RecordRef = store.put('key', new Uint8Array(1));
       const value: Uint8Array | undefined = store.get('key');
       // @ts-expect-error: keys are bytes or strings
       store.put(1, 'value');
       console.log(ref.offset, value?.length, StoreError.name);`,
    );
    const flags = [
      '--noEmit',
      '--strict',
      '--module',
      'nodenext',
      '--target',
      'es2023',
      '--types',
      'node',
    ];
    const types = ['--typeRoots', resolve('node_modules', '@types')];
    const tsc = resolve('node_modules', '.bin', 'tsc');
    const { status, stdout } = spawnSync(tsc, [...flags, ...types, 'use.mts'], {
      cwd: full,
      encoding: 'utf8',
    });
    expect([status, stdout]).toEqual([0, '']);
  });
});
