import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const PROGRAM = fileURLToPath(new URL('../../tools/prune-build.mjs', import.meta.url));

test('a build keeps the output of every source, and nothing of one that is gone', () => {
  const directory = temporaryDirectory();
  const write = (path: string) => {
    mkdirSync(join(directory, path, '..'), { recursive: true });
    writeFileSync(join(directory, path), '');
  };
  const outputs = (name: string) =>
    ['js', 'js.map', 'd.ts', 'd.ts.map'].map((ending) => `${name}.${ending}`);
  write('src/deep/kept.ts');
  const kept = [
    ...outputs('src/deep/kept'),
    'src/deep/page.css',
    'src/engine/host/proper-lockfile.js',
  ];
  for (const path of [...kept, ...outputs('src/deep/gone')]) write(`dist/${path}`);
  const { status, stderr } = spawnSync(process.execPath, [PROGRAM], { cwd: directory });
  expect([status, String(stderr)]).toEqual([0, '']);
  const left = readdirSync(join(directory, 'dist'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(join(directory, 'dist/').length));
  expect(left.toSorted()).toEqual(kept.toSorted());
});
