import { describe, expect, test } from 'vitest';
import { intercept } from '../../harness/file-systems/intercepted.ts';
import { MemoryFileSystem } from '../../harness/file-systems/memory-file-system.ts';
import { systemError } from '../../harness/file-systems/system-error.ts';
import { DurableMarkWriter } from '../../src/engine/lock/durable-mark.ts';

const ID = Buffer.alloc(16, 1);

describe('durable mark', () => {
  test('a blocking sync hears of a write-back failure that the sync in the thread pool has been told of already', async () => {
    let failed = false;
    const told = new Set<unknown>();
    // As the kernel does: one failed write-back, reported once to each descriptor.
    const fileSystem = intercept(new MemoryFileSystem(), (call) => {
      if (!failed || !call.method.startsWith('dataSync') || told.has(call.args[0]))
        return call.proceed();
      told.add(call.args[0]);
      if (call.method === 'dataSyncAsync') return Promise.reject(systemError('EIO'));
      throw systemError('EIO');
    });
    const mark = DurableMarkWriter.open(fileSystem, '/', undefined, ID, ID);
    mark.write(1, 100, 5, false);
    failed = true;
    const pooled = mark.syncAsync();
    expect(() => mark.sync()).toThrow('EIO');
    await expect(pooled).rejects.toThrow('EIO');
    mark.close();
  });
});
