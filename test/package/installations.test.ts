import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { pack } from './packed-project.ts';
import { installStrangers, nodePath, runIn, strangerPath } from './strangers.ts';

let directory: string;
let tarball: string;

beforeAll(() => {
  installStrangers();
  directory = mkdtempSync(join(tmpdir(), 'tidemark-install-'));
  tarball = pack(directory);
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** The ten lines of the first screen of the README: what a stranger runs first. */
const TEN_LINES = /^```js\n([\s\S]*?)^```/m.exec(readFileSync('README.md', 'utf8'))?.[1] ?? '';

const NODES = ['this', '22', '24'] as const;
const MANAGERS: Readonly<Record<string, (tarball: string, cache: string) => readonly string[]>> = {
  npm: (file, cache) => ['install', '--no-audit', '--no-fund', '--cache', cache, file],
  pnpm: (file, cache) => ['add', '--store-dir', cache, file],
  yarn: (file, cache) => ['add', '--cache-folder', cache, `file:${file}`],
};

/** Words with which a package manager says that something is not as it should be. */
const WARNING = /\bwarn|deprecated|unsupported|ignored build scripts|\berr[!o]/i;

/**
 * yarn 1 knows no engine but node and says so of a package under the kernel lock's addon, which
 * also names another. Nothing is wrong then, and nobody but that package can change it.
 */
const ANOTHER_ENGINE =
  /^warning .*require-addon@[\d.]+: The engine "bare" appears to be invalid\.$/m;

/** yarn 1 says so of every package whose manifest names workspaces, and ours is packed as it is. */
const WORKSPACES = /^warning Workspaces can only be enabled in private projects\.$/gm;

describe.each(Object.keys(MANAGERS))('%s, from an empty directory', (manager) => {
  test.each(NODES)(
    'on Node %s: installs without a warning, and the ten lines of README.md run',
    (version) => {
      const node = nodePath(version);
      const project = join(directory, `${manager}-${version}`);
      mkdirSync(project);
      writeFileSync(
        join(project, 'package.json'),
        '{"name":"new-user","version":"1.0.0","private":true,"type":"module"}',
      );
      writeFileSync(join(project, 'first.js'), TEN_LINES);
      const program = manager === 'npm' ? 'npm' : strangerPath(manager);
      const words = MANAGERS[manager]?.(tarball, join(directory, `cache-${manager}`)) ?? [];
      const installed = runIn(project, program, words, node);
      const said = installed.output.replace(ANOTHER_ENGINE, '').replaceAll(WORKSPACES, '');
      expect([installed.status, said]).toEqual([0, expect.not.stringMatching(WARNING)]);
      const told = runIn(project, node, ['first.js'], node);
      expect(told.status, told.output).toBe(0);
      expect(told.output).not.toMatch(WARNING);
      const command = join(project, 'node_modules', '.bin', 'tidemark');
      const keys = runIn(project, command, ['keys', 'data'], node);
      expect(keys).toEqual({ status: 0, output: 'ada\n' });
      const value = runIn(project, command, ['get', 'data', 'ada'], node);
      expect(value).toEqual({ status: 0, output: '{"name":"Ada","visits":1}\n' });
      const doctor = runIn(project, command, ['doctor', 'data'], node);
      expect(doctor.output).toContain('@node-rs/crc32');
    },
  );
});

test('nothing that is installed with it has a script of its own', () => {
  const lock = readFileSync(join(directory, 'npm-this', 'package-lock.json'), 'utf8');
  const { packages } = JSON.parse(lock) as {
    packages: Readonly<Record<string, { readonly hasInstallScript?: boolean }>>;
  };
  expect(Object.keys(packages)).toContain('node_modules/tidemark');
  const withScripts = Object.keys(packages).filter((path) => packages[path]?.hasInstallScript);
  expect(withScripts).toEqual([]);
});

test('CommonJS requires the package on every supported Node', () => {
  const project = join(directory, 'npm-this');
  writeFileSync(
    join(project, 'required.cjs'),
    `const { openStore } = require('tidemark');
     openStore('required').then(async (store) => {
       await store.putDurable('key', 'value');
       console.log(String(store.get('key')), store.stats().kernelLock);
       await store.close();
     });`,
  );
  for (const version of NODES) {
    const node = nodePath(version);
    expect(runIn(project, node, ['required.cjs'], node)).toEqual({
      status: 0,
      output: 'value true\n',
    });
  }
});

test('beside fast-crc32c, which is optional, its native half is what is used', () => {
  const project = join(directory, 'npm-this');
  const words = ['install', '--no-audit', '--no-fund', '--foreground-scripts=false'];
  const installed = runIn(project, 'npm', [...words, '--loglevel=error', 'fast-crc32c@2']);
  expect([installed.status, installed.output]).toEqual([0, expect.any(String)]);
  const code = `import { openStore } from 'tidemark'; const store = await openStore('beside');
    console.log(store.stats().checksum); await store.close();`;
  const said = runIn(project, process.execPath, ['--input-type=module', '-e', code]);
  // Where its scripts may not run, or no compiler is there, the one of everybody stays in use.
  expect(said.output).toMatch(/^(?:fast-crc32c \(native\)|@node-rs\/crc32)\n$/);
});
