import { execFile, execFileSync, spawnSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { installPacked, pack } from './packed-project.ts';

const run = promisify(execFile);
const PACKAGE = resolve('packages/harness');
const README = readFileSync(join(PACKAGE, 'README.md'), 'utf8');

let directory: string;
let tarball: string;
let project: string;

/** The block of the README whose first line names the file. */
function fileOfReadme(name: string): string {
  const blocks = [...README.matchAll(/^```js\n([\s\S]*?)^```/gm)].map(([, code = '']) => code);
  return blocks.find((code) => code.startsWith(`// ${name}\n`)) as string;
}

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'tidemark-harness-package-'));
  execFileSync(process.execPath, [join(PACKAGE, 'build.mjs')]);
  const words = ['pack', '--silent', '--ignore-scripts', '--pack-destination', directory];
  const packed = execFileSync('npm', words, { cwd: PACKAGE, encoding: 'utf8' });
  tarball = join(directory, packed.trim().split('\n').at(-1) as string);
  project = join(directory, 'project');
  const { dependencies } = JSON.parse(readFileSync(join(PACKAGE, 'package.json'), 'utf8'));
  const others = Object.keys(dependencies).filter((name) => name !== 'tidemark');
  installPacked(pack(directory), project, { peers: others, builtAddons: false });
  const installed = join(project, 'node_modules', 'tidemark-harness');
  mkdirSync(installed);
  execFileSync('tar', ['-xzf', tarball, '-C', installed, '--strip-components=1']);
  symlinkSync(resolve('node_modules/vitest'), join(project, 'node_modules', 'vitest'));
  writeFileSync(join(project, 'my-store.mjs'), fileOfReadme('my-store.mjs'));
});

afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** A binary of the package, as npx runs it. */
function binary(name: string): string {
  const { bin } = JSON.parse(readFileSync(join(PACKAGE, 'package.json'), 'utf8'));
  return join(project, 'node_modules', 'tidemark-harness', bin[name]);
}

function start(name: string, ...words: readonly string[]) {
  const options = { cwd: project, encoding: 'utf8' } as const;
  const { status, stdout, stderr } = spawnSync(process.execPath, [binary(name), ...words], options);
  return { status, stdout, stderr };
}

describe('the tarball of the harness', () => {
  test.each([
    ['publint', (file: string) => ['run', file, '--strict']],
    ['attw', (file: string) => [file, '--profile', 'esm-only']],
  ] as const)('%s finds nothing wrong with it', (tool, words) => {
    const options = { encoding: 'utf8' } as const;
    const bin = resolve('node_modules', '.bin', tool);
    const { status, stdout, stderr } = spawnSync(bin, words(tarball), options);
    expect([status, status === 0 ? '' : stdout + stderr]).toEqual([0, '']);
  });

  test('runs nothing when it is installed, and depends on tidemark as a package', () => {
    const installed = join(project, 'node_modules', 'tidemark-harness');
    const manifest = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'));
    expect(Object.keys(manifest.scripts)).toEqual(['prepack']);
    const root = JSON.parse(readFileSync('package.json', 'utf8'));
    expect(manifest.dependencies.tidemark).toBe(root.version);
    for (const name of Object.keys(manifest.dependencies).filter((one) => one !== 'tidemark'))
      expect({ ...root.dependencies, ...root.devDependencies }[name]).toBe(
        manifest.dependencies[name],
      );
  });

  test('its types serve a strict TypeScript project', () => {
    writeFileSync(
      join(project, 'use.mts'),
      `import { assertPassed, crash, soak, type SoakSummary, type StoreContract, type StoreUnderTest } from 'tidemark-harness';
       const contract: Partial<StoreContract> = { put: 'kill' };
       const summary: SoakSummary = await soak({ adapter: './my-store.mjs', seconds: 1, signal: AbortSignal.timeout(1) });
       assertPassed(summary);
       assertPassed(await crash({ profile: 'quick', contract }));
       // @ts-expect-error: no such promise
       await crash({ contract: { put: 'fire' } });
       export const store = (one: StoreUnderTest) => one.close();`,
    );
    const flags =
      '--noEmit --strict --skipLibCheck --module nodenext --target es2023 --lib es2023,esnext.disposable';
    const types = ['--types', 'node', '--typeRoots', resolve('node_modules', '@types')];
    const tsc = resolve('node_modules', '.bin', 'tsc');
    const options = { cwd: project, encoding: 'utf8' } as const;
    const { status, stdout } = spawnSync(tsc, [...flags.split(' '), ...types, 'use.mts'], options);
    expect([status, stdout]).toEqual([0, '']);
  });
});

describe('installed', () => {
  test('soak and crash run as the README writes them, and print commands that work there', () => {
    const soak = start(
      'tidemark-soak',
      ...'--adapter ./my-store.mjs --seconds 2 --keys 100 --seed 7'.split(' '),
    );
    expect([soak.status, soak.stdout]).toEqual([
      0,
      expect.stringContaining('npx tidemark-soak --seed 7 --seconds 2 --keys 100'),
    ]);
    const crash = start(
      'tidemark-crash',
      ...'--adapter ./my-store.mjs --part workload --seconds 2 --seed 7'.split(' '),
    );
    expect([crash.status, crash.stdout]).toEqual([
      0,
      expect.stringContaining('npx tidemark-crash --adapter ./my-store.mjs --part workload'),
    ]);
    const help = start('tidemark-crash', '--help');
    expect(help.stdout).toContain('npx tidemark-crash program');
    expect(soak.stdout + soak.stderr + crash.stdout + crash.stderr + help.stdout).not.toContain(
      'npm run',
    );
  });

  test('a bare name is a package of the project', () => {
    const theirs = join(project, 'node_modules', 'their-store');
    mkdirSync(theirs);
    writeFileSync(
      join(theirs, 'package.json'),
      '{"name":"their-store","type":"module","exports":{"import":"./store.mjs"}}',
    );
    cpSync(join(project, 'my-store.mjs'), join(theirs, 'store.mjs'));
    const { status, stderr } = start(
      'tidemark-soak',
      ...'--adapter their-store --seconds 1 --keys 50'.split(' '),
    );
    expect([status, stderr]).toEqual([
      0,
      expect.stringContaining('soak: their-store with 50 keys'),
    ]);
  });

  test('a leak fails the test of the README, and the message names the array that leaks', async () => {
    const leaky = fileOfReadme('my-store.mjs')
      .replace('export const contract', 'const recentPuts = [];\nexport const contract')
      .replace('put: (key, value) =>', 'put: (key, value) => recentPuts.push({ key }) &&');
    writeFileSync(join(project, 'leaky.mjs'), leaky);
    const text = fileOfReadme('my-store.test.mjs');
    expect(text.trimEnd().split('\n').length).toBeLessThanOrEqual(10);
    writeFileSync(
      join(project, 'leaky.test.mjs'),
      text
        .replace('./my-store.mjs', './leaky.mjs')
        .replace('seconds: 20, keys: 500', 'seconds: 20, keys: 50'),
    );
    const vitest = resolve('node_modules/vitest/vitest.mjs');
    const failed = await run(process.execPath, [vitest, 'run', 'leaky.test.mjs'], {
      cwd: project,
    }).catch((error) => error);
    expect(failed.code).toBe(1);
    expect(failed.stdout + failed.stderr).toMatch(/held by recentPuts: Array -> \[\d+\]: Object/);
    expect(failed.stdout + failed.stderr).toMatch(/again with: npx tidemark-soak .*--seed \d+/);
  });

  test('a test of node:test that times out leaves no process and no file', async () => {
    const temporary = join(directory, 'tmp');
    mkdirSync(temporary);
    writeFileSync(
      join(project, 'late.test.mjs'),
      `import test from 'node:test';
       import { soak } from 'tidemark-harness';
       const lines = [];
       test('late', { timeout: 3000 }, async ({ signal }) => {
         await soak({ adapter: './my-store.mjs', seconds: 600, keys: 50, signal, onProgress: ({ line }) => lines.push(line) });
       });
       process.on('exit', () => console.log('store process', /store process (\\d+)/.exec(lines.join())?.[1]));`,
    );
    const { NODE_TEST_CONTEXT: _, ...environment } = process.env;
    const { stdout, code } = await run(process.execPath, ['late.test.mjs'], {
      cwd: project,
      env: { ...environment, TMPDIR: temporary },
    }).catch((error) => error);
    expect(code).toBe(1);
    const pid = Number(/store process (\d+)/.exec(stdout)?.[1]);
    expect(pid).toBeGreaterThan(0);
    expect(() => process.kill(pid, 0)).toThrow('ESRCH');
    expect(readdirSync(temporary)).toEqual([]);
  });
});
