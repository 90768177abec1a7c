import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Call, intercept, isChange } from '../../harness/file-systems/intercepted.ts';
import type { MemoryFileSystem } from '../../harness/file-systems/memory-file-system.ts';
import { segmentPath } from '../../src/engine/format/segment-name.ts';
import { QUARANTINE_LIMIT_BYTES } from '../../src/engine/recovery/quarantine.ts';
import {
  DIRECTORY,
  discardingFixtures,
  fixture,
  open,
  QUARANTINE,
  segmentsOf,
} from './store-in-memory.ts';

function errno(code: string): Error {
  return Object.assign(new Error(`${code}: made up`), { code });
}

/** The same files, on which `fails` decides about each call that changes something. */
function failing(
  fileSystem: MemoryFileSystem,
  fails: (call: Call, path: string) => Error | undefined,
) {
  return intercept(fileSystem, (call) => {
    const error = isChange(call) ? fails(call, call.path) : undefined;
    if (error !== undefined) throw error;
    return call.proceed();
  });
}

describe('quarantine', () => {
  test.each(discardingFixtures)(
    '%s: holds every discarded range once, byte for byte, and the report names it',
    async (name) => {
      const fileSystem = await fixture(name);
      const before = await fixture(name);
      const store = await open(fileSystem);
      const { discarded } = store.recoveryReport;
      for (const { segmentId, offset, byteLength, quarantinePath } of discarded) {
        const bytes = before.readFile(segmentPath(DIRECTORY, segmentId));
        expect(byteLength).toBe(bytes.length - offset);
        expect(fileSystem.readFile(quarantinePath as string)).toEqual(bytes.subarray(offset));
      }
      expect(fileSystem.list(QUARANTINE)).toHaveLength(discarded.length);
    },
  );

  test('finds the copy of an equal tail at the same place instead of making another', async () => {
    const fileSystem = await fixture('own/zero_tail_after_the_mark');
    const tail = fileSystem.readFile(segmentPath(DIRECTORY, 1)).subarray(96);
    for (let attempt = 0; attempt < 3; attempt++) {
      const store = await open(fileSystem);
      expect(store.recoveryReport.discarded).toHaveLength(1);
      await store.close();
      expect(fileSystem.list(QUARANTINE)).toHaveLength(1);
      fileSystem.mutate(segmentPath(DIRECTORY, 1), (bytes) => Buffer.concat([bytes, tail]));
    }
  });

  test.each(['makeDirectory', 'open', 'write', 'dataSync', 'rename', 'directorySync'] as const)(
    'a disk that is full at %s keeps no copy, says so, and does not keep the store from opening',
    async (method) => {
      const fileSystem = await fixture('own/torn_then_rotated');
      const full = failing(fileSystem, (call, path) =>
        call.method === method && path.includes('quarantine') ? errno('ENOSPC') : undefined,
      );
      const store = await open(full);
      expect(store.size).toBe(2);
      expect(store.recoveryReport.discarded).toMatchObject([
        { segmentId: 1, byteLength: 27, quarantinePath: null },
        { segmentId: 2, byteLength: 96, quarantinePath: null },
      ]);
      expect(store.recoveryReport.notes).toHaveLength(2);
      for (const note of store.recoveryReport.notes)
        expect(note).toMatch(/bytes discarded .* were not kept.*ENOSPC/);
      await store.close();
      expect(fileSystem.openDescriptorCount).toBe(0);
    },
  );

  test('an error that is not about room keeps the store from opening, and nothing is cut', async () => {
    const fileSystem = await fixture('own/torn_then_rotated');
    const before = segmentsOf(fileSystem);
    const broken = failing(fileSystem, (call, path) =>
      call.method === 'write' && path.includes('quarantine') ? errno('EIO') : undefined,
    );
    await expect(open(broken)).rejects.toMatchObject({ code: 'IO_FAILED' });
    expect(segmentsOf(fileSystem)).toEqual(before);
    expect(fileSystem.openDescriptorCount).toBe(0);
  });

  test('stays within its limit, and says what it did not keep', async () => {
    const fileSystem = await fixture('own/torn_value');
    fileSystem.makeDirectory(QUARANTINE);
    fileSystem.writeFile(join(QUARANTINE, 'old'), new Uint8Array());
    const nearlyFull = (freeBytes: number) =>
      intercept(fileSystem.afterProcessDeath(), ({ method, args, proceed }) => {
        const result = proceed();
        if (method !== 'stat' || args[0] !== join(QUARANTINE, 'old')) return result;
        return { ...(result as object), sizeBytes: QUARANTINE_LIMIT_BYTES - freeBytes };
      });
    const full = await open(nearlyFull(27));
    expect(full.recoveryReport.discarded).toMatchObject([{ byteLength: 28, quarantinePath: null }]);
    expect(full.recoveryReport.notes).toEqual([
      expect.stringMatching(/28 bytes discarded .* were not kept/),
    ]);
    const fitting = await open(nearlyFull(28));
    expect(fitting.recoveryReport.discarded).toMatchObject([
      { quarantinePath: expect.any(String) },
    ]);
    expect(fitting.recoveryReport.notes).toEqual([]);
  });
});

describe('the order of repair', () => {
  test('copies first, then empties the later segments from the highest id, and cuts the damaged one last', async () => {
    const fileSystem = await fixture('own/torn_then_rotated');
    fileSystem.writeFile(segmentPath(DIRECTORY, 3), new Uint8Array());
    const steps: string[] = [];
    const watched = intercept(fileSystem, (call) => {
      const { path } = call;
      const result = call.proceed();
      if (call.method === 'rename') steps.push('copied');
      if (call.method === 'truncate') steps.push(`cut ${path}`);
      if (call.method === 'dataSync' && path.endsWith('.dwal')) steps.push(`synced ${path}`);
      return result;
    });
    await open(watched);
    const [first, second] = [1, 2].map((id) => segmentPath(DIRECTORY, id));
    expect(steps.slice(0, 6)).toEqual([
      'copied',
      'copied',
      `cut ${second}`,
      `synced ${second}`,
      `cut ${first}`,
      `synced ${first}`,
    ]);
  });

  test('the kept bytes behind the mark are written once more, whole and synced, before the new mark', async () => {
    const fileSystem = await fixture('own/killed_with_unsynced_records');
    const before = segmentsOf(fileSystem);
    const rewritten = new Map<string, number>();
    const unsynced = new Set<string>();
    const watched = intercept(fileSystem, (call) => {
      const { path } = call;
      const result = call.proceed();
      if (call.method === 'dataSync') unsynced.delete(path);
      if (call.method !== 'write') return result;
      if (path.endsWith('durable-mark')) expect([...unsynced]).toEqual([]);
      if (!path.endsWith('.dwal')) return result;
      unsynced.add(path);
      rewritten.set(path, (rewritten.get(path) ?? 0) + (result as number));
      return result;
    });
    const store = await open(watched);
    expect(rewritten).toEqual(
      new Map([
        [segmentPath(DIRECTORY, 2), 64],
        [segmentPath(DIRECTORY, 3), 96],
      ]),
    );
    expect(store.recoveryReport.bytesRewritten).toBe(160);
    expect(segmentsOf(fileSystem)).toEqual(before);
  });

  test('empty segments in front of the first with bytes are removed, and the report says so', async () => {
    const fileSystem = await fixture('own/empty_segments_in_front');
    const store = await open(fileSystem);
    expect(Object.keys(segmentsOf(fileSystem))).toEqual([segmentPath(DIRECTORY, 3)]);
    expect(store.recoveryReport.notes).toEqual(['removed 2 empty segments in front of 3']);
    await store.close();
    const again = await open(fileSystem);
    expect(again.recoveryReport).toMatchObject({ outcome: 'clean', recordsKept: 3, notes: [] });
    await again.close();
  });

  test('an id whose segment got lost behind the mark is kept by an empty file', async () => {
    const fileSystem = await fixture('own/missing_segment_after_the_mark');
    await (await open(fileSystem)).close();
    expect(fileSystem.readFile(segmentPath(DIRECTORY, 2))).toHaveLength(0);
    expect(fileSystem.readFile(segmentPath(DIRECTORY, 3))).toHaveLength(0);
    expect((await open(fileSystem)).recoveryReport.outcome).toBe('clean');
  });

  test('a segment that vanished and left only a far later empty one does not make opening create files without end', async () => {
    const fileSystem = await fixture('own/killed_after_a_sync');
    fileSystem.writeFile(segmentPath(DIRECTORY, 2_000), new Uint8Array());
    let created = 0;
    const watched = intercept(fileSystem, (call) => {
      if (call.method === 'open' && call.args[1] === 'create') created++;
      return call.proceed();
    });
    await open(watched).catch(() => {});
    expect(created).toBeLessThan(10);
  });
});
