import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { countedUsage, recountUsage } from '../../harness/crash/promises/usage-recount.ts';
import { MemoryFileSystem } from '../../harness/file-systems/memory-file-system.ts';
import { RecordType } from '../../src/engine/format/format.ts';
import type { FileSystem } from '../../src/engine/index.ts';
import { Keydir } from '../../src/engine/keydir/keydir.ts';
import type { FileUsage } from '../../src/engine/keydir/segment-usage.ts';
import { OpenLog } from '../../src/engine/log/open-log.ts';
import { MergeScheduler } from '../../src/engine/merge/merge-scheduler.ts';
import { DIRECTORY, open } from './store-in-memory.ts';

const operation = fc.record({
  type: fc.constantFrom('put' as const, 'put', 'del'),
  key: fc.constantFrom('a', 'b', 'c', 'd', ''),
  value: fc.string({ maxLength: 60 }),
});

/** Keeps the usage of segments that hold Puts or Deletes. */
function withBytes(usage: Record<number, FileUsage>): Record<string, FileUsage> {
  return Object.fromEntries(
    Object.entries(usage).filter(([, { putBytes, deleteBytes }]) => putBytes + deleteBytes > 0),
  );
}

async function openCounted(fileSystem: FileSystem, mode: 'seals' | 'full') {
  const keydir = new Keydir();
  const log = await OpenLog.open(DIRECTORY, { fileSystem, segmentBytes: 300, open: mode }, keydir);
  return { keydir, log };
}

describe('the usage of segments', () => {
  test('is what a full scan counts, before and after a compaction, and what any opening finds again', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(operation, { maxLength: 60, size: 'max' }),
        fc.constantFrom(0, 0.3, 0.6),
        async (operations, deadRatio) => {
          const fileSystem = new MemoryFileSystem();
          const store = await open(fileSystem, { segmentBytes: 300 });
          store.batch(operations);
          await store.close();
          const { keydir, log } = await openCounted(fileSystem, 'seals');
          log.writer.append(RecordType.Raw, Buffer.from('a'), Buffer.from('belongs to nobody'));
          expect(countedUsage(log, keydir)).toEqual(recountUsage(log, keydir));
          await new MergeScheduler(log, keydir, undefined).compact({ deadRatio });
          const counted = countedUsage(log, keydir);
          expect(counted).toEqual(recountUsage(log, keydir));
          await log.close();
          for (const mode of ['seals', 'full'] as const) {
            const again = await openCounted(fileSystem.afterProcessDeath(), mode);
            expect(withBytes(countedUsage(again.log, again.keydir))).toEqual(withBytes(counted));
          }
        },
      ),
      { numRuns: 80 },
    );
  });
});
