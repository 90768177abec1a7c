import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MemoryFileSystem } from '../../harness/crash/memory-file-system.ts';
import { openLog, openStore, RecordType, salvage } from '../../src/engine/index.ts';
import { segmentPath } from '../../src/engine/segment-name.ts';

const PUTS = 30;

async function writeStore(): Promise<MemoryFileSystem> {
  const fileSystem = new MemoryFileSystem();
  const store = await openStore('/store', { fileSystem, segmentBytes: 400 });
  for (let index = 0; index < PUTS; index++) store.put(`key-${index}`, `value ${index}`);
  await store.close();
  return fileSystem;
}

function snapshot(fileSystem: MemoryFileSystem, directory: string): Record<string, string> {
  const names = fileSystem
    .list(directory)
    .filter((name) => fileSystem.stat(`${directory}/${name}`)?.kind === 'file');
  return Object.fromEntries(
    names.map((name) => [name, fileSystem.readFile(`${directory}/${name}`).toString('hex')]),
  );
}

describe('salvage', () => {
  test('one damaged byte anywhere costs one record, is listed, and leaves the source alone', async () => {
    const written = await writeStore();
    const segments = written.list('/store').filter((name) => name.endsWith('.dwal'));
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...segments),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        async (name, at, flip) => {
          const fileSystem = written.afterProcessDeath();
          fileSystem.mutate(`/store/${name}`, (bytes) => {
            const index = at % bytes.length;
            bytes[index] = (bytes[index] as number) ^ flip;
            return undefined;
          });
          const before = snapshot(fileSystem, '/store');
          const report = await salvage('/store', '/rescued', fileSystem);
          expect(snapshot(fileSystem, '/store')).toEqual(before);
          expect(report.recordsKept).toBe(PUTS - 1);
          expect(report.lost).toHaveLength(1);
          const store = await openStore('/rescued', { fileSystem });
          expect(store.recoveryReport.outcome).toBe('clean');
          expect(store.size).toBe(PUTS - 1);
          for (const [key, value] of store.entries())
            expect(String(value)).toBe(String(key).replace('key-', 'value '));
          await store.close();
        },
      ),
      { numRuns: 60 },
    );
  });

  test('a store that datawal went on writing behind a tear gives up both sides of it', async () => {
    const fileSystem = new MemoryFileSystem();
    const log = await openLog('/store', { fileSystem });
    for (const payload of ['one', 'two', 'three']) log.append(payload);
    await log.close();
    const path = segmentPath('/store', 1);
    const whole = fileSystem.readFile(path);
    // Fault 1: torn inside the third record, the next ones appended behind the garbage.
    fileSystem.mutate(path, () => Buffer.concat([whole.subarray(0, whole.length - 5), whole]));
    fileSystem.remove('/store/durable-mark');
    await expect(openLog('/store', { fileSystem })).rejects.toThrow(/tidemark salvage/);
    const report = await salvage('/store', '/rescued', fileSystem);
    expect(report).toMatchObject({ recordsKept: 5, lost: [{ damage: 'crc-mismatch' }] });
    const rescued = await openLog('/rescued', { fileSystem });
    expect([...rescued.scan()].map(({ type, payload }) => [type, String(payload)])).toEqual(
      ['one', 'two', 'one', 'two', 'three'].map((text) => [RecordType.Raw, text]),
    );
    await rescued.close();
  });

  test('a missing segment is named', async () => {
    const fileSystem = await writeStore();
    fileSystem.remove(segmentPath('/store', 2));
    const report = await salvage('/store', '/rescued', fileSystem);
    expect(report.missingSegments).toEqual([2]);
    expect(report.recordsKept).toBeLessThan(PUTS);
  });

  test('it never writes into something that exists', async () => {
    const fileSystem = await writeStore();
    await expect(salvage('/store', '/store', fileSystem)).rejects.toMatchObject({ code: 'TARGET_NOT_EMPTY' });
    await expect(salvage('/nowhere', '/rescued', fileSystem)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(fileSystem.stat('/rescued')).toBeUndefined();
  });
});
