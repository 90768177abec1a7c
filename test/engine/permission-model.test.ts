import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openStore } from '../../src/engine/index.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const FLAG = process.allowedNodeEnvironmentFlags.has('--permission')
  ? '--permission'
  : '--experimental-permission';

const PROGRAM = `
import { openReader, openStore } from '${process.cwd()}/dist/src/engine/index.js';
const [there, fresh] = process.argv.slice(1);
for (const directory of [there, fresh])
  await openStore(directory).catch(({ code, message }) => console.log(code, message));
const reader = await openReader(there);
console.log(String(reader.get('key')));
await reader.exportJsonl(fresh).catch(({ code }) => console.log(code));
await reader.close();
`;

test("under Node's permission model reading works, and writing is refused before anything is made", async () => {
  const parent = temporaryDirectory();
  const there = join(parent, 'there');
  const store = await openStore(there);
  store.put('key', 'value');
  await store.close();
  const fresh = join(parent, 'fresh');
  const { stdout } = spawnSync(
    process.execPath,
    [
      FLAG,
      '--allow-fs-read=*',
      `--allow-fs-write=${parent}/*`,
      '--input-type=module',
      '-e',
      PROGRAM,
      there,
      fresh,
    ],
    { encoding: 'utf8' },
  );
  const lines = stdout.trim().split('\n');
  for (const line of lines.slice(0, 2))
    expect(line).toMatch(/^PERMISSION_DENIED .*allows no fsync.*openReader/);
  expect(lines.slice(2)).toEqual(['value', 'PERMISSION_DENIED']);
  expect(existsSync(fresh)).toBe(false);
  // And the store is as it was.
  const again = await openStore(there);
  expect(again.recoveryReport.outcome).toBe('clean');
  await again.close();
});
