import { execFile, spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { intercept, isChange } from '../../harness/file-systems/intercepted.ts';
import { MemoryFileSystem } from '../../harness/file-systems/memory-file-system.ts';
import { RecordingFileSystem } from '../../harness/file-systems/recording-file-system.ts';
import { systemError } from '../../harness/file-systems/system-error.ts';
import { openStore, type StoreError } from '../../src/engine/index.ts';
import { rejectionOf } from '../support/rejection.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const KEYS = 12;
const TARGET = '/target';

async function storeToCopy(fileSystem: MemoryFileSystem | RecordingFileSystem) {
  const store = await openStore('/store', { fileSystem, segmentBytes: 300 });
  for (let number = 0; number < KEYS; number++) store.put(`key-${number}`, 'v'.repeat(50));
  await store.sync();
  return store;
}

describe('a copy into a directory that is there already', () => {
  test('that fails in any of its calls leaves the directory as it was', async () => {
    for (let failing = 1, isOver = false; !isOver; failing++) {
      const disk = new MemoryFileSystem();
      disk.makeDirectory(TARGET);
      let count = Number.POSITIVE_INFINITY;
      const fileSystem = intercept(disk, (call) => {
        if (isChange(call) && call.path.startsWith(TARGET) && --count === 0)
          throw systemError('EIO', call.method);
        return call.proceed();
      });
      const store = await storeToCopy(fileSystem);
      count = failing;
      const error = await store.compactTo(TARGET).catch((failure: unknown) => failure);
      isOver = error === undefined;
      if (!isOver) {
        expect(String(error)).toContain(TARGET);
        expect(disk.list(TARGET)).toEqual([]);
        expect(failing).toBeLessThan(1000);
      }
      count = Number.POSITIVE_INFINITY;
      await store.close();
      if (isOver) expect((await openStore(TARGET, { fileSystem: disk })).size).toBe(KEYS);
    }
  });

  test('that dies in any of its calls leaves nothing that opens with half of the keys', async () => {
    const outcomes = new Set<string>();
    for (let dying = 1, isOver = false; !isOver; dying++) {
      const memory = new MemoryFileSystem();
      memory.makeDirectory(TARGET);
      const disk = new RecordingFileSystem(memory);
      const store = await storeToCopy(disk);
      disk.dieIn(dying);
      await store.compactTo(TARGET).catch(() => {});
      isOver = !disk.isDead;
      const fileSystem = disk.afterProcessDeath();
      const hasSegment = fileSystem.list(TARGET).some((name) => name.endsWith('.dwal'));
      const opened = await openStore(TARGET, { fileSystem }).catch((error: StoreError) => error);
      if (!('size' in opened)) {
        expect(opened.code).toBe('BACKUP_UNFINISHED');
        expect(opened.message).toContain('Empty it');
        outcomes.add('refused');
      } else if (hasSegment) {
        expect(opened.size).toBe(KEYS);
        outcomes.add('whole');
      } else outcomes.add('nothing');
      expect(dying).toBeLessThan(1000);
    }
    expect([...outcomes].sort()).toEqual(['nothing', 'refused', 'whole']);
  });
});

const cannotMount = spawnSync('unshare', ['--mount', 'true']).status !== 0;

/** What the other process does, with a mounted disk at `target`. */
const PROGRAM = `
  const [engine, source, target] = process.argv.slice(1);
  const { openStore, salvage } = await import(engine);
  const store = await openStore(source);
  for (let key = 0; key < 100; key++) store.put('key-' + key, 'value');
  const { readdirSync } = await import('node:fs');
  const { dirname } = await import('node:path');
  const beside = () => readdirSync(dirname(target)).length;
  const before = beside();
  let most = 0;
  const watch = setInterval(() => { most = Math.max(most, beside()); }, 1);
  await store[process.env.CALL]?.(target);
  await store.close();
  if (process.env.CALL === 'salvage') await salvage(source, target);
  clearInterval(watch);
  const copy = await openStore(target);
  console.log(JSON.stringify({ keys: copy.size, beside: Math.max(most, beside()) - before }));
  await copy.close();
`;

describe.skipIf(cannotMount)('into the root of another disk', () => {
  test.each(['compactTo', 'backup', 'salvage'])(
    '%s writes there and nowhere else',
    async (call) => {
      const root = temporaryDirectory();
      for (const [name, mount] of [
        ['tmpfs', 'mount -t tmpfs none'],
        ['bind', `mkdir "${root}/bound"; mount --bind "${root}/bound"`],
      ]) {
        const target = join(root, name as string, 'disk');
        mkdirSync(target, { recursive: true });
        const script = `${mount} "${target}" && exec "$NODE" --input-type=module -e "$PROGRAM" "$@"`;
        const engine = new URL('../../dist/src/engine/index.js', import.meta.url).href;
        const { stdout } = await promisify(execFile)(
          'unshare',
          ['--mount', 'sh', '-c', script, 'sh', engine, join(root, `source-${name}`), target],
          { env: { ...process.env, CALL: call, PROGRAM, NODE: process.execPath } },
        );
        expect(JSON.parse(stdout)).toEqual({ keys: 100, beside: 0 });
      }
    },
  );
});

test('a backup whose target is replaced meanwhile goes nowhere else', async () => {
  const disk = new MemoryFileSystem();
  // At each change that it makes in the target the directory has just been replaced.
  for (let replacing = 2, isOver = false; !isOver; replacing++) {
    const target = `/target-${replacing}`;
    let count = Number.POSITIVE_INFINITY;
    let isLookedAt = false;
    const fileSystem = intercept(disk, (call) => {
      const isInTarget = call.path.startsWith(`${target}/`);
      if (call.method === 'stat' && isInTarget) isLookedAt = true;
      else if (isInTarget && isChange(call) && !isLookedAt && --count === 0) replace();
      if (call.method !== 'stat') isLookedAt = false;
      return call.proceed();
    });
    const replace = () => {
      disk.rename(target, `${target}-moved`);
      disk.makeDirectory(target);
    };
    const store = await openStore(`/store-${replacing}`, { fileSystem, segmentBytes: 300 });
    for (let number = 0; number < KEYS; number++) store.put(`key-${number}`, 'v'.repeat(50));
    await store.sealsWritten();
    count = replacing;
    const error = await store.backup(target).catch((failure: unknown) => failure);
    isOver = disk.stat(`${target}-moved`) === undefined;
    if (!isOver && error !== undefined && 'code' in (error as object)) {
      expect(disk.list(target)).toEqual([]);
      expect(store.poisoned).toBeUndefined();
    }
    await store.close();
    if (replacing > 200) throw new Error('it never ends');
  }
});

test('what is wrong with the target is not blamed on the source', async () => {
  const disk = new MemoryFileSystem();
  const fileSystem = intercept(disk, (call) => {
    if (call.method === 'rename' && call.path.includes('unfinished')) throw systemError('EBUSY');
    return call.proceed();
  });
  const store = await storeToCopy(disk);
  await store.close();
  const { salvage } = await import('../../src/engine/index.ts');
  for (const target of ['/none', '/there']) {
    if (target === '/there') disk.makeDirectory(target);
    const error = (await rejectionOf(salvage('/store', target, { fileSystem }))) as StoreError;
    expect(error.message).toContain(target);
    expect(error.message).not.toContain('/store');
  }
});
