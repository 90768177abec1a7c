#!/usr/bin/env node
// Installs the packed tarball with npm itself, as a stranger would, with install scripts blocked
// and allowed and with and without the optional peers, and runs a store each time. Asks the
// registry as `npm ci` does. Needs a build in dist/.
//
//     node test/package/install-check.mjs
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const CODE = `
  import { openStore } from 'tidemark';
  const store = await openStore('data');
  await store.putDurable('key', 'value');
  if (store.get('key').length !== 5) throw new Error('the value is another one');
  await store.close();`;

const directory = mkdtempSync(join(tmpdir(), 'tidemark-install-'));
try {
  const npm = (cwd, ...words) =>
    execFileSync('npm', words, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
  const packed = npm('.', 'pack', '--silent', '--ignore-scripts', '--pack-destination', directory);
  const tarball = join(directory, packed.trim().split('\n').at(-1));
  for (const [name, ...words] of [
    ['scripts blocked', '--ignore-scripts'],
    ['scripts allowed', '--foreground-scripts=false'],
    ['optional peers', '--ignore-scripts', 'prom-client@15', '@opentelemetry/api@1'],
  ]) {
    const project = join(directory, name.replace(' ', '-'));
    mkdirSync(project);
    writeFileSync(
      join(project, 'package.json'),
      '{"name":"user-project","private":true,"type":"module"}',
    );
    npm(
      project,
      'install',
      '--no-audit',
      '--no-fund',
      '--prefer-offline',
      '--loglevel=error',
      tarball,
      ...words,
    );
    execFileSync(process.execPath, ['--input-type=module', '-e', CODE], {
      cwd: project,
      stdio: 'inherit',
    });
    execFileSync(join(project, 'node_modules', '.bin', 'tidemark'), ['--help'], {
      cwd: project,
      stdio: 'ignore',
    });
    process.stdout.write(`installed with ${name}: a store runs\n`);
  }
} finally {
  rmSync(directory, { recursive: true, force: true });
}
