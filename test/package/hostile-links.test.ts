import { execFileSync, spawnSync } from 'node:child_process';
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openReader, openStore } from '../../src/engine/index.ts';
import { rejectionOf } from '../support/rejection.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

/** Longer than any opening takes. */
const HANG_MS = 60_000;

async function closedStore(): Promise<{ root: string; directory: string; victim: string }> {
  const root = temporaryDirectory();
  const directory = join(root, 'store');
  const store = await openStore(directory);
  store.put('key', 'value');
  await store.close();
  const victim = join(root, 'victim');
  writeFileSync(victim, 'precious');
  return { root, directory, victim };
}

/** A directory of a stranger: nothing outside it is ever written. */
describe('symbolic links in a store directory', () => {
  test.each(['durable-mark', '.lock', '00000001.dwal'])(
    '%s is never written through',
    async (name) => {
      const { directory, victim } = await closedStore();
      rmSync(join(directory, name));
      symlinkSync(victim, join(directory, name));
      expect(await rejectionOf(openStore(directory))).toMatchObject({ name: 'StoreError' });
      expect(readFileSync(victim, 'utf8')).toBe('precious');
    },
  );

  test('an empty file outside does not become the active segment', async () => {
    const { directory, victim } = await closedStore();
    writeFileSync(victim, '');
    for (const name of readdirSync(directory)) rmSync(join(directory, name));
    symlinkSync(victim, join(directory, '00000001.dwal'));
    expect(await rejectionOf(openStore(directory))).toMatchObject({ code: 'PERMISSION_DENIED' });
    expect(readFileSync(victim, 'utf8')).toBe('');
  });

  test('a quarantine that leads elsewhere refuses the opening that needs it', async () => {
    const { root, directory } = await closedStore();
    const elsewhere = join(root, 'elsewhere');
    mkdirSync(elsewhere);
    symlinkSync(elsewhere, join(directory, 'quarantine'));
    writeFileSync(join(directory, '00000001.dwal'), Buffer.from('DWAL'), { flag: 'a' });
    expect(await rejectionOf(openStore(directory))).toMatchObject({ code: 'PERMISSION_DENIED' });
    expect(readdirSync(elsewhere)).toEqual([]);
  });

  test('a segment that was moved away and linked can still be read', async () => {
    const { root, directory } = await closedStore();
    renameSync(join(directory, '00000001.dwal'), join(root, 'moved'));
    symlinkSync(join(root, 'moved'), join(directory, '00000001.dwal'));
    const reader = await openReader(directory);
    expect(reader.get('key')).toEqual(Buffer.from('value'));
    await reader.close();
  });
});

describe('a FIFO in a store directory', () => {
  test.each(['durable-mark', '.lock', '00000001.seal', '00000001.merge', '00000001.dwal'])(
    'under the name %s does not hang an opening',
    async (name) => {
      const { directory } = await closedStore();
      rmSync(join(directory, name), { force: true });
      execFileSync('mkfifo', [join(directory, name)]);
      // In processes of their own, because nothing ends an open that hangs in this one.
      for (const open of ['openStore', 'openReader']) {
        const code = `import('tidemark').then((t) => t.${open}(${JSON.stringify(directory)})).then((s) => s.close())
          .catch((error) => { process.exitCode = error.name === 'StoreError' ? 0 : 1; })`;
        expect(spawnSync(process.execPath, ['-e', code], { timeout: HANG_MS }).status).toBe(0);
      }
    },
  );
});
