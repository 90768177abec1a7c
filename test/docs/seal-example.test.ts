import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { MemoryFileSystem } from '../../harness/file-systems/memory-file-system.ts';
import { openStore } from '../../src/engine/index.ts';
import { decodeSealHeader } from '../../src/engine/seal/seal-file.ts';

/** The blocks of docs/format.md that are told byte by byte: a frame, and its seal. */
const [frame, seal] = [
  ...readFileSync('docs/format.md', 'utf8').matchAll(/^```hex\n([\s\S]*?)^```/gm),
].map(([, code]) => Buffer.from((code as string).replace(/\s/g, ''), 'hex')) as [Buffer, Buffer];

test('the seal that docs/format.md works through is that of the frame, and opens a store', async () => {
  expect(decodeSealHeader(seal)).toMatchObject({
    segmentId: 1,
    firstId: 1,
    byteLength: frame.length,
    recordCount: 1,
    firstTxid: 1,
    lastTxid: 1,
    hintCount: 1,
    hintsBytes: 28,
  });
  for (const open of ['seals', 'full'] as const) {
    const fileSystem = new MemoryFileSystem();
    fileSystem.makeDirectory('/store');
    fileSystem.writeFile('/store/00000001.dwal', frame);
    fileSystem.writeFile('/store/00000001.seal', seal);
    fileSystem.writeFile('/store/00000002.dwal', Buffer.alloc(0));
    const store = await openStore('/store', { fileSystem, open });
    expect(store.recoveryReport.segmentsFromSeals).toBe(open === 'full' ? 0 : 1);
    expect(String(store.get('k'))).toBe('hi');
    await store.close();
  }
});
