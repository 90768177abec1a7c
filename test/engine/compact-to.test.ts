import { expect, test } from 'vitest';
import { MemoryFileSystem } from '../../harness/file-systems/memory-file-system.ts';
import { open } from './store-in-memory.ts';

test('a rebuild that is aborted rejects with the reason, leaves nothing behind, and may be asked for again', async () => {
  const disk = new MemoryFileSystem();
  const outcomes: string[] = [];
  await using store = await open(disk, {
    probe: { event: (event) => void (event.kind === 'compact' && outcomes.push(event.outcome)) },
  });
  for (let index = 0; index < 40; index++)
    store.put(`key-${index}`, Buffer.alloc(64 * 1024, index));
  const controller = new AbortController();
  const before = disk.list('/');
  const rebuilt = store.compactTo('/rebuilt', { signal: controller.signal });
  // It has begun, and lets others run after every megabyte.
  controller.abort(new Error('enough'));
  await expect(rebuilt).rejects.toThrow('enough');
  expect(disk.list('/')).toEqual(before);
  await expect(store.compactTo('/rebuilt', { signal: controller.signal })).rejects.toThrow(
    'enough',
  );
  await store.compactTo('/rebuilt');
  expect(disk.list('/rebuilt')).toContain('00000001.dwal');
  expect(outcomes).toEqual(['aborted', 'ok']);
});
