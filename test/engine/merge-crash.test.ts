import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DiskModel } from '../../harness/crash/disk/disk-model.ts';
import { crashImages, imageDigest } from '../../harness/crash/states/crash-images.ts';
import { type DiskImage, EMPTY_DISK, fileSystemOf } from '../../harness/file-systems/disk-image.ts';
import { intercept, isChange } from '../../harness/file-systems/intercepted.ts';
import { MemoryFileSystem } from '../../harness/file-systems/memory-file-system.ts';
import { RecordingFileSystem } from '../../harness/file-systems/recording-file-system.ts';
import type { TraceEvent } from '../../harness/file-systems/trace.ts';
import { Prng } from '../../harness/prng.ts';
import type { FileSystem, Store } from '../../src/engine/index.ts';
import { Keydir } from '../../src/engine/keydir/keydir.ts';
import { OpenLog } from '../../src/engine/log/open-log.ts';
import { mergeRun } from '../../src/engine/merge/merge.ts';
import type { MergeCandidate } from '../../src/engine/merge/merge-choice.ts';
import { DIRECTORY, open } from './store-in-memory.ts';

/** Puts and Deletes of four keys, by segment: most are overwritten or deleted in a later one. */
type Plan = readonly (readonly { readonly key: string; readonly isDelete: boolean }[])[];
const plan: fc.Arbitrary<Plan> = fc.array(
  fc.array(fc.record({ key: fc.constantFrom('a', 'b', 'c', 'd'), isDelete: fc.boolean() }), {
    minLength: 1,
    maxLength: 6,
  }),
  { minLength: 3, maxLength: 6, size: 'max' },
);

/** Writes a plan, one segment after the other, durably. */
async function write(fileSystem: FileSystem, segments: Plan): Promise<Store> {
  const store = await open(fileSystem);
  let version = 0;
  for (const segment of segments) {
    for (const { key, isDelete } of segment) {
      if (isDelete) store.delete(key);
      else store.put(key, `${++version}`);
    }
    store.rotate();
  }
  await store.sync();
  return store;
}

function pairsOf(store: Store): Record<string, string> {
  return Object.fromEntries(
    [...store.entries()].map(([key, value]) => [String(key), String(value)]),
  );
}

describe('a compaction killed at any step', () => {
  test('leaves the same pairs, and can be run again', async () => {
    await fc.assert(
      fc.asyncProperty(plan, async (segments) => {
        const base = new MemoryFileSystem();
        const written = await write(base, segments);
        const expected = pairsOf(written);
        await written.close();
        for (let step = 0; ; step++) {
          const fileSystem = base.afterProcessDeath();
          let steps = Number.NEGATIVE_INFINITY;
          const dying = intercept(fileSystem, (call) => {
            if (isChange(call) && steps++ >= step) throw new Error('killed');
            return call.proceed();
          });
          const killed = await open(dying);
          steps = 0;
          await killed.compact({ deadRatio: 0 }).catch(() => {});
          const isEnd = steps <= step;
          const again = await open(fileSystem.afterProcessDeath());
          expect(pairsOf(again), `killed at step ${step}`).toEqual(expected);
          await again.compact({ deadRatio: 0 });
          expect(pairsOf(again), `killed at step ${step}, and compacted`).toEqual(expected);
          await again.close();
          if (isEnd) break;
        }
      }),
      { numRuns: 6 },
    );
  });
});

/** Runs of sealed segments that a merge may take: neither end is empty. */
function runsOf(log: OpenLog, keydir: Keydir): MergeCandidate[][] {
  const candidates = log.tail.sealed.map((one) => ({
    ...one,
    seal: log.sealer.sealOf(one),
    usage: keydir.usage.of(log.reader.files.fileOf(one.segmentId)),
  }));
  const isEnd = ({ sizeBytes, seal }: MergeCandidate) => sizeBytes > 0 && seal !== undefined;
  return candidates.flatMap((first, from) =>
    candidates.slice(from).flatMap((last, index) => {
      return isEnd(first) && isEnd(last) ? [candidates.slice(from, from + index + 1)] : [];
    }),
  );
}

/** The images that power cuts may leave from event `from` of the trace on, each once. */
function* imagesFrom(trace: readonly TraceEvent[], from: number, prng: Prng): Generator<DiskImage> {
  const disk = new DiskModel(EMPTY_DISK, () => 0);
  const seen = new Set<string>();
  for (let at = 0; at <= trace.length; at++) {
    const event = trace[at];
    if (at >= from && (event === undefined || event.kind.endsWith('Sync'))) {
      for (const image of crashImages(disk, prng, { subsets: 20, tearsAWrite: 2 })) {
        const digest = imageDigest(image);
        if (seen.has(digest)) continue;
        seen.add(digest);
        yield image;
      }
    }
    if (event !== undefined) disk.advance(event, at);
  }
}

describe('no deleted key comes back', () => {
  test('whichever runs are merged in whatever order, and wherever the power goes', async () => {
    let images = 0;
    const picks = fc.array(fc.nat(), { minLength: 1, maxLength: 6, size: 'max' });
    await fc.assert(
      fc.asyncProperty(plan, picks, fc.nat(), async (segments, order, seed) => {
        const trace: TraceEvent[] = [];
        const fileSystem = new RecordingFileSystem(new MemoryFileSystem(), trace);
        const written = await write(fileSystem, segments);
        const expected = pairsOf(written);
        await written.close();
        const keydir = new Keydir();
        const log = await OpenLog.open(DIRECTORY, { fileSystem }, keydir);
        const from = trace.length;
        for (const pick of order) {
          const runs = runsOf(log, keydir);
          if (runs.length === 0) break;
          await mergeRun(log, keydir, runs[pick % runs.length] as MergeCandidate[], 0, () => {});
        }
        for (const image of imagesFrom(trace, from, Prng.seeded(seed))) {
          images++;
          const store = await open(fileSystemOf(image));
          expect(pairsOf(store)).toEqual(expected);
          await store.compact({ deadRatio: 0 });
          expect(pairsOf(store)).toEqual(expected);
          await store.close();
        }
      }),
      { numRuns: 5 },
    );
    expect(images).toBeGreaterThan(100);
  });
});
