import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MemoryFileSystem } from '../../harness/file-systems/memory-file-system.ts';
import { decodeFrame } from '../../src/engine/format/frame.ts';
import { segmentPath } from '../../src/engine/format/segment-name.ts';
import { openStore, RecordType, type SalvageReport, salvage } from '../../src/engine/index.ts';
import { sealPath } from '../../src/engine/seal/seal-file.ts';
import { listSegments } from '../../src/engine/segment/segment-list.ts';
import { mergeSteps } from '../support/merge-by-hand.ts';

const SEGMENTS = 4;
const KEYS = 5;

/** Closed in order; every segment but the last has a seal. */
async function writeStore(): Promise<MemoryFileSystem> {
  const fileSystem = new MemoryFileSystem();
  const store = await openStore('/store', { fileSystem });
  for (let segment = 0; segment < SEGMENTS; segment++) {
    if (segment > 0) store.rotate();
    for (let key = 0; key < KEYS; key++) store.put(`key-${key}`, `value ${segment}.${key}`);
    store.delete(`key-${segment}`);
  }
  await store.close();
  return fileSystem;
}

async function rescued(
  fileSystem: MemoryFileSystem,
): Promise<{ report: SalvageReport; pairs: Record<string, string> }> {
  const report = await salvage('/store', '/rescued', { fileSystem });
  const store = await openStore('/rescued', { fileSystem });
  const pairs = Object.fromEntries(
    [...store.entries()].map(([key, value]) => [
      Buffer.from(key).toString(),
      Buffer.from(value).toString(),
    ]),
  );
  await store.close();
  return { report, pairs };
}

const isAtEase = ({ lostCount, missingSegmentCount, contradictions }: SalvageReport) =>
  lostCount + missingSegmentCount + contradictions.length === 0;

/** What the frames say that are there, the one with the higher txid being the newer. */
function newestOf(fileSystem: MemoryFileSystem): { pairs: Record<string, string>; frames: string } {
  const found = new Map<number, { type: number; key: string; value: string }>();
  for (const { segmentId } of listSegments(fileSystem, '/store')) {
    const bytes = fileSystem.readFile(segmentPath('/store', segmentId));
    for (let offset = 0; offset < bytes.length; ) {
      const decoded = decodeFrame(bytes, offset);
      if (!decoded.ok) break;
      const { type, txid, key, payload } = decoded.record;
      found.set(txid, { type, key: String(key), value: String(payload) });
      offset += decoded.byteLength;
    }
  }
  const pairs: Record<string, string> = {};
  const ordered = [...found].sort(([a], [b]) => a - b);
  for (const [, { type, key, value }] of ordered) {
    if (type === RecordType.Put) pairs[key] = value;
    else delete pairs[key];
  }
  return { pairs, frames: ordered.map(([txid]) => txid).join() };
}

type Change =
  | { readonly kind: 'swap' | 'copy'; readonly from: number; readonly to: number }
  | {
      readonly kind: 'remove' | 'empty' | 'cut' | 'append';
      readonly from: number;
      readonly to: number;
    };

const changes = fc.record({
  kind: fc.constantFrom('swap', 'copy', 'remove', 'empty', 'cut', 'append'),
  from: fc.integer({ min: 1, max: SEGMENTS }),
  to: fc.integer({ min: 1, max: SEGMENTS }),
}) as fc.Arbitrary<Change>;

function change(fileSystem: MemoryFileSystem, { kind, from, to }: Change, withSeal: boolean): void {
  const [a, b] = [segmentPath('/store', from), segmentPath('/store', to)];
  const there = [a, b].map((path) =>
    fileSystem.stat(path) === undefined ? Buffer.alloc(0) : Buffer.from(fileSystem.readFile(path)),
  ) as [Buffer, Buffer];
  const dropSeal = (id: number) => {
    const path = sealPath('/store', id);
    if (withSeal && fileSystem.stat(path) !== undefined) fileSystem.remove(path);
  };
  if (kind === 'swap') {
    fileSystem.writeFile(a, there[1]);
    fileSystem.writeFile(b, there[0]);
    dropSeal(from);
  } else if (kind === 'copy') fileSystem.writeFile(b, there[0]);
  else if (kind === 'append') fileSystem.writeFile(b, Buffer.concat([there[1], there[0]]));
  else if (kind === 'empty') fileSystem.writeFile(a, Buffer.alloc(0));
  else if (kind === 'cut') {
    const first = decodeFrame(there[0], 0);
    fileSystem.writeFile(a, there[0].subarray(0, first.ok ? first.byteLength : 0));
  } else if (fileSystem.stat(a) !== undefined) fileSystem.remove(a);
  dropSeal(to);
}

describe('salvage of segments that are not where they belong', () => {
  test('keeps what is newest by its txid, and never says that nothing is wrong', async () => {
    const original = await writeStore();
    const { frames } = newestOf(original);
    const files = filesOf(original);
    await fc.assert(
      fc.asyncProperty(
        fc.array(changes, { minLength: 1, maxLength: 3 }),
        fc.boolean(),
        async (all, withSeal) => {
          const fileSystem = original.afterProcessDeath();
          for (const one of all) change(fileSystem, one, withSeal);
          const isChanged = segmentsOf(filesOf(fileSystem)) !== segmentsOf(files);
          const expected = newestOf(fileSystem);
          if (listSegments(fileSystem, '/store').length === 0) return;
          const { report, pairs } = await rescued(fileSystem);
          expect(pairs).toEqual(expected.pairs);
          expect(report.recordsKept).toBe(expected.frames.split(',').filter(Boolean).length);
          if (isChanged || expected.frames !== frames) expect(isAtEase(report)).toBe(false);
          else expect(isAtEase(report)).toBe(true);
        },
      ),
      { numRuns: 150 },
    );
  });

  test('names what only the seals know any more', async () => {
    const fileSystem = await writeStore();
    for (let id = 1; id < SEGMENTS; id++) fileSystem.remove(segmentPath('/store', id));
    const { report } = await rescued(fileSystem);
    expect(report.lost.map(({ segmentId, damage }) => [segmentId, damage])).toEqual(
      [1, 2, 3].map((id) => [id, 'missing-segment']),
    );
    for (const { bySeal } of report.lost) expect(bySeal?.recordCount).toBe(KEYS + 1);
    expect(report.contradictions.length).toBeGreaterThan(0);
    fileSystem.remove(segmentPath('/store', SEGMENTS));
    const again = await salvage('/store', '/rescued-again', { fileSystem });
    expect(again).toMatchObject({ recordsKept: 0, missingSegmentCount: SEGMENTS });
  });

  test('names the records of a segment that another one was copied over', async () => {
    const fileSystem = await writeStore();
    const [one, two] = [1, 2].map((id) => segmentPath('/store', id)) as [string, string];
    fileSystem.writeFile(two, Buffer.from(fileSystem.readFile(one)));
    const { report } = await rescued(fileSystem);
    expect(report.lost).toMatchObject([
      { segmentId: 2, damage: 'contradicts-seal', bySeal: { recordCount: KEYS + 1 } },
    ]);
    const swapped = await writeStore();
    const [first, second] = [one, two].map((path) => Buffer.from(swapped.readFile(path)));
    swapped.writeFile(one, second as Buffer);
    swapped.writeFile(two, first as Buffer);
    const { report: nothingLost } = await rescued(swapped);
    expect(nothingLost.lost).toEqual([]);
    expect(nothingLost.contradictions.length).toBeGreaterThan(0);
  });

  test('finds nothing wrong between the steps of a merge, and brings no deleted key back', async () => {
    const original = await writeStore();
    const { pairs: expected } = newestOf(original);
    const fileSystem = original.afterProcessDeath();
    for (const step of mergeSteps(fileSystem, '/store', 1, 3)) {
      const { report, pairs } = await rescued(fileSystem.afterProcessDeath());
      expect({ step, pairs, ...report }).toMatchObject({ step, pairs: expected });
      expect({ step, isAtEase: isAtEase(report) }).toEqual({ step, isAtEase: true });
    }
  });
});

function filesOf(fileSystem: MemoryFileSystem): ReadonlyMap<string, string> {
  const names = fileSystem.list('/store').sort();
  return new Map(
    names
      .filter((name) => fileSystem.stat(`/store/${name}`)?.kind === 'file')
      .map((name) => [name, fileSystem.readFile(`/store/${name}`).toString('hex')]),
  );
}

function segmentsOf(files: ReadonlyMap<string, string>): string {
  return [...files].filter(([name]) => name.endsWith('.dwal')).join();
}

test('records that are missing in front of others are told of, though every frame is whole', async () => {
  const fileSystem = new MemoryFileSystem();
  const store = await openStore('/store', { fileSystem });
  await store.putDurable('kept', 'value');
  const { offset } = store.put('lost', 'value');
  store.rotate();
  store.put('later', 'value');
  const killed = fileSystem.afterProcessDeath();
  await store.close();
  killed.mutate('/store/00000001.dwal', (bytes) => bytes.subarray(0, offset));
  const { report, pairs } = await rescued(killed);
  expect(pairs).toEqual({ kept: 'value', later: 'value' });
  expect(report.contradictions).toMatchObject([{ segmentId: 2, offset: 0 }]);
});
