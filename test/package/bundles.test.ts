import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { rolldown } from 'rolldown';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { installPacked, pack } from './packed-project.ts';
import { installStrangers, nodePath, runIn, strangerPath } from './strangers.ts';

let directory: string;
let project: string;

/** No `await` outside of a function: CommonJS has none. */
const PROGRAM = `
  import { openReader, openStore } from 'tidemark';
  import { prometheusProbe } from 'tidemark/prometheus';
  async function main() {
    if (prometheusProbe === undefined) throw new Error('the probe is not in the bundle');
    const store = await openStore('data');
    await store.putDurable('key', 'x'.repeat(10_000));
    const second = await openStore('data').catch((error) => error.code);
    const reader = await openReader('data');
    console.log(second, reader.get('key').length, store.stats().kernelLock, store.stats().checksum);
    await reader.close();
    await store.close();
  }
  main();`;

const BUNDLERS: Readonly<Record<string, (format: 'esm' | 'cjs', file: string) => Promise<void>>> = {
  esbuild: async (format, file) => {
    const words = ['program.mjs', '--bundle', '--platform=node', `--format=${format}`];
    const said = runIn(project, strangerPath('esbuild'), [...words, `--outfile=${file}`]);
    expect([said.status, said.output]).toEqual([0, expect.not.stringContaining('[WARNING]')]);
  },
  rolldown: async (format, file) => {
    const bundle = await rolldown({
      input: join(project, 'program.mjs'),
      platform: 'node',
      onLog: (level, log) => {
        if (level === 'warn') throw new Error(log.message);
      },
    });
    await bundle.write({ file, format });
    await bundle.close();
  },
};

beforeAll(() => {
  installStrangers();
  directory = mkdtempSync(join(tmpdir(), 'tidemark-bundle-'));
  project = join(directory, 'project');
  installPacked(pack(directory), project, { peers: [], builtAddons: false });
  writeFileSync(join(project, 'program.mjs'), PROGRAM);
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe.each(Object.keys(BUNDLERS))('a bundle by %s', (bundler) => {
  test.each(['esm', 'cjs'] as const)(
    'as %s runs where nothing is installed, and says what it does without',
    async (format) => {
      const deployed = join(directory, `${bundler}-${format}`);
      mkdirSync(deployed);
      const file = join(deployed, `program.${format === 'esm' ? 'mjs' : 'cjs'}`);
      await BUNDLERS[bundler]?.(format, file);
      for (const version of ['this', '22', '24'] as const) {
        const node = nodePath(version);
        expect(runIn(deployed, node, [file], node)).toEqual({
          status: 0,
          output: 'STORE_LOCKED 10000 false JavaScript\n',
        });
      }
    },
  );

  test('takes the native parts where they are installed beside it', async () => {
    const file = join(project, `${bundler}.mjs`);
    await BUNDLERS[bundler]?.('esm', file);
    expect(runIn(project, process.execPath, [file])).toEqual({
      status: 0,
      output: 'STORE_LOCKED 10000 true @node-rs/crc32\n',
    });
  });
});
