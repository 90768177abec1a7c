import { execFile } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { smallStorePath } from '../../../harness/crash/plants/store-plants.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';

const PROGRAM = resolve('dist/harness/crash/main.js');
const CLONE = resolve('.');

interface Ended {
  readonly status: number;
  readonly output: string;
}

/** Runs it as somebody does who stands in `place`. */
function crash(
  place: string,
  words: readonly string[],
  environment: NodeJS.ProcessEnv = {},
): Promise<Ended> {
  const options = { cwd: place, env: { ...process.env, ...environment } };
  return new Promise((done) => {
    execFile(process.execPath, [PROGRAM, ...words], options, (error, stdout, stderr) => {
      done({
        status: error === null ? 0 : (error.code as unknown as number),
        output: stdout + stderr,
      });
    });
  });
}

/** An adapter in a directory of its own: the small store, and what is done to it. */
function adapterThat(change: string): string {
  const place = temporaryDirectory();
  cpSync(smallStorePath(), join(place, 'small-store.mjs'));
  writeFileSync(
    join(place, 'store.mjs'),
    `import openSmall, { contract as promised } from './small-store.mjs';\n${change}`,
  );
  return place;
}

const AS_IT_IS = 'export const contract = promised; export default openSmall;';

/** Command lines of processes that run now. */
function running(): string[] {
  return readdirSync('/proc').flatMap((name) => {
    try {
      return /^\d+$/.test(name) ? [readFileSync(`/proc/${name}/cmdline`, 'latin1')] : [];
    } catch {
      return [];
    }
  });
}

/** Exit 2: before anything is judged. */
const UNUSABLE: readonly (readonly [string, string, readonly string[], RegExp])[] = [
  ['lies nowhere', AS_IT_IS, ['--adapter', './nowhere.mjs'], /cannot load \.\/nowhere\.mjs: /],
  ['is no package', AS_IT_IS, ['--adapter', 'no-such-store'], /no adapter "no-such-store"/],
  ['is no JavaScript', 'this is not', [], /cannot load \.\/store\.mjs: /],
  ['exports no open', 'export const contract = promised;', [], /no default export open/],
  [
    'opens what is no store',
    'export default async () => ({ get() {} });',
    [],
    /no method put\(\), delete\(\), entries\(\), close\(\)/,
  ],
  [
    'cannot be opened at all',
    "export default async () => { throw new Error('the licence has expired'); };",
    [],
    /Error: the licence has expired/,
  ],
  [
    'promises what there is no word for',
    "export const contract = { put: 'always' }; export default openSmall;",
    [],
    /contract\.put must be "nothing" or "kill" or "power", not "always"/,
  ],
  [
    'contradicts itself',
    "export const contract = { put: 'power', sync: 'kill' }; export default openSmall;",
    [],
    /put=power and sync=kill/,
  ],
  [
    'is contradicted by the command line',
    "export const contract = { put: 'power' }; export default openSmall;",
    ['--survives', 'sync=kill'],
    /put=power and sync=kill/,
  ],
  [
    'promises a sync that it does not have',
    "export const contract = { sync: 'power' }; export default async (at) => Object.assign(await openSmall(at), { sync: undefined });",
    [],
    /sync=power, and the store has no sync\(\)/,
  ],
  [
    'refuses plain keys',
    "export default async (at) => Object.assign(await openSmall(at), { async put() { throw new RangeError('no'); } });",
    [],
    /after trying/,
  ],
];

describe('an adapter that cannot be used ends the command with 2, one line, and no report', () => {
  test.concurrent.each(UNUSABLE)('it %s', async (_what, change, words, message) => {
    const place = adapterThat(change);
    const given = words.includes('--adapter') ? words : ['--adapter', './store.mjs', ...words];
    const { status, output } = await crash(place, given);
    expect(output).toMatch(message);
    expect(output.trim().split('\n')).toHaveLength(1);
    expect(status).toBe(2);
    expect(existsSync(join(place, 'tidemark-crash', 'summary.json'))).toBe(false);
  });
});

test.skipIf(process.platform !== 'linux')(
  'a store that starts processes which outlive it is refused, and they are ended',
  async () => {
    // The number makes the process known.
    const place = adapterThat(
      "import { spawn } from 'node:child_process'; export default async (at) => { spawn('sleep', ['987654'], { detached: true, stdio: 'ignore' }).unref(); return openSmall(at); };",
    );
    const { status, output } = await crash(place, ['--adapter', './store.mjs']);
    expect(output).toMatch(/processes that go on without it \(sleep 987654\)/);
    expect(status).toBe(2);
    expect(running().filter((command) => command.includes('987654'))).toEqual([]);
  },
);

test.skipIf(process.platform !== 'linux')(
  'a store that writes outside its directory says nothing about power cuts, and the report says where',
  async () => {
    const place = adapterThat(
      `import { appendFileSync } from 'node:fs'; export const contract = promised; export default async (at) => { const store = await openSmall(at); const put = store.put.bind(store); return Object.assign(store, { put(key, value) { appendFileSync(new URL('./outside.txt', import.meta.url), 'x'); return put(key, value); } }); };`,
    );
    const { status, output } = await crash(place, [
      ...['--adapter', './store.mjs', '--part', 'cuts', '--seconds', '2', '--seed', '1'],
    ]);
    expect(output).toMatch(/it writes outside its directory: .*outside\.txt/);
    expect(status).toBe(3);
    const summary = JSON.parse(readFileSync(join(place, 'tidemark-crash/summary.json'), 'utf8'));
    expect(summary).toMatchObject({ verdict: 'inconclusive', exitCode: 3, failures: [] });
    expect(summary.reason).toContain('outside its directory');
  },
);

test('a store that needs more than the time is inconclusive, and the report says what is missing', async () => {
  const place = adapterThat(
    'export const contract = promised; export default async (at) => { const store = await openSmall(at); const put = store.put.bind(store); return Object.assign(store, { async put(key, value) { await new Promise((done) => setTimeout(done, 150)); return put(key, value); } }); };',
  );
  const { status, output } = await crash(place, [
    ...['--adapter', './store.mjs', '--part', 'kills', '--seconds', '2', '--seed', '1'],
  ]);
  expect(output).toMatch(/INCONCLUSIVE: the kills saw too little to be judged: \d+ kills/);
  expect(status).toBe(3);
});

test('a relative path is meant from where the command was typed, also when npm runs it elsewhere', async () => {
  const place = adapterThat("throw new Error('it was loaded');");
  const underNpm = {
    npm_package_json: join(CLONE, 'package.json'),
    npm_lifecycle_event: 'crash',
    INIT_CWD: place,
  };
  const { status, output } = await crash(CLONE, ['--adapter', './store.mjs'], underNpm);
  expect(output).toMatch(/cannot load \.\/store\.mjs: it was loaded/);
  expect(status).toBe(2);
});

test('the reports name the store, its contract, and a command that finds the finding again', async () => {
  const place = temporaryDirectory();
  const adapter = join(place, 'my store.mjs');
  cpSync('test/harness/campaigns/forgetful-adapter.mjs', adapter);
  mkdirSync(join(place, 'reports'));
  const steps = join(place, 'reports', 'steps.md');
  const words = ['--survives', 'put=nothing,sync=power', '--history', 'per-key'];
  const parts = ['--part', 'kills', '--seconds', '4', '--seed', '1', '--out', 'reports'];
  const { status, output } = await crash(
    place,
    ['--adapter', './my store.mjs', ...words, ...parts],
    { GITHUB_STEP_SUMMARY: steps },
  );
  expect(output).toContain('contract: put=nothing, sync=power, per-key');
  expect(status).toBe(1);
  const summary = JSON.parse(readFileSync(join(place, 'reports/summary.json'), 'utf8'));
  expect(summary.subject).toMatchObject({
    name: './my store.mjs',
    contract: 'put=nothing, sync=power, per-key',
    assumed: [],
  });
  const [failure] = summary.failures;
  expect(failure.command).toContain(
    "--adapter './my store.mjs' --survives put=nothing,sync=power --history per-key --part kills --seed 1",
  );
  for (const file of ['report.html', 'junit.xml', 'steps.md'])
    expect(readFileSync(join(place, 'reports', file), 'utf8')).toContain('per-key');
}, 60_000);
