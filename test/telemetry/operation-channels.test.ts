import { tracingChannel } from 'node:diagnostics_channel';
import { describe, expect, onTestFinished, test } from 'vitest';
import { MemoryFileSystem } from '../../harness/file-systems/memory-file-system.ts';
import { openStore } from '../../src/engine/index.ts';

describe('operation channels', () => {
  test('each operation is published from start to end, with its store and outcome, to whoever subscribes', async () => {
    // The channels are the process's: another suite in it has stores of its own.
    const directory = '/operation-channels';
    const seen: string[] = [];
    for (const operation of ['get', 'put', 'delete', 'batch', 'sync', 'compact']) {
      const note = (event: string) => (message: object) => {
        const { directory: from, error } = message as { directory: string; error?: Error };
        if (from === directory)
          seen.push(`${operation} ${event}${error === undefined ? '' : ` ${error.name}`}`);
      };
      const handlers = {
        start: note('start'),
        end: note('end'),
        asyncStart: () => {},
        asyncEnd: note('asyncEnd'),
        error: note('error'),
      };
      const channel = tracingChannel(`tidemark:${operation}`);
      channel.subscribe(handlers);
      onTestFinished(() => void channel.unsubscribe(handlers));
    }
    const store = await openStore(directory, { fileSystem: new MemoryFileSystem() });
    store.put('key', 'value');
    store.get('key');
    await store.getAsync('key');
    store.batch([{ type: 'del', key: 'key' }]);
    store.delete('key');
    await store.sync();
    await store.compactTo('/operation-channels-compacted');
    expect(() => store.get(7 as never)).toThrow(TypeError);
    await store.close();
    expect(seen).toEqual([
      'put start',
      'put end',
      'get start',
      'get end',
      'get start',
      'get end',
      'get asyncEnd',
      'batch start',
      'batch end',
      'delete start',
      'delete end',
      'sync start',
      'sync end',
      'sync asyncEnd',
      'compact start',
      'compact end',
      'compact asyncEnd',
      'get start',
      'get error TypeError',
      'get end TypeError',
    ]);
  });
});
