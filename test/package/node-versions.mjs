#!/usr/bin/env node
// Runs tests with other versions of Node, whose binaries are npm packages. Needs a build in dist/,
// and the registry for the binaries. By default Node 22 and 24, and the tests of what users run.
//
//     node test/package/node-versions.mjs [--node 22,24] [FILES OR FOLDERS OF TESTS ...]
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { parseArgs } from 'node:util';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { node: { type: 'string', default: '22,24' } },
});
/** These run with every Node by themselves, or not with Node at all. */
const SAME_ANYWHERE = 'test/package/{bundles,installations,prune-build,runtimes,workflows}.test.ts';
const tests =
  positionals.length > 0
    ? positionals
    : ['test/engine', 'test/telemetry', 'test/cli', 'test/package', '--exclude', SAME_ANYWHERE];

let failed = false;
for (const version of values.node.split(',')) {
  const prefix = mkdtempSync(join(tmpdir(), `tidemark-node-${version}-`));
  try {
    const wanted = `node-${process.platform}-${process.arch}@${version}`;
    const installed = spawnSync(
      'npm',
      [
        'install',
        '--prefix',
        prefix,
        '--no-audit',
        '--no-fund',
        '--ignore-scripts',
        '--loglevel=error',
        wanted,
      ],
      { stdio: 'inherit' },
    );
    if (installed.status !== 0) throw new Error(`${wanted} could not be installed`);
    const node = join(prefix, 'node_modules', wanted.split('@')[0], 'bin', 'node');
    const told = spawnSync(node, ['--version'], { encoding: 'utf8' }).stdout?.trim();
    if (!told?.startsWith(`v${version}`)) throw new Error(`${wanted} says that it is ${told}`);
    process.stdout.write(`\n== Node ${told}\n`);
    const { status } = spawnSync(node, ['node_modules/vitest/vitest.mjs', 'run', ...tests], {
      stdio: 'inherit',
      // Processes that a test starts by name are of the same version.
      env: { ...process.env, PATH: `${dirname(node)}${delimiter}${process.env.PATH}` },
    });
    failed ||= status !== 0;
  } finally {
    rmSync(prefix, { recursive: true, force: true });
  }
}
process.exitCode = failed ? 1 : 0;
