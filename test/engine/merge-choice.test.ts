import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  chooseRun,
  garbageBytes,
  type MergeCandidate,
} from '../../src/engine/merge/merge-choice.ts';
import { NO_IDENTITY, type Seal } from '../../src/engine/seal/seal-file.ts';

const SEGMENT_BYTES = 1000;

const SEAL: Seal = {
  segmentId: 1,
  firstId: 1,
  storeId: Buffer.alloc(16),
  byteLength: 0,
  recordCount: 0,
  firstTxid: 0,
  lastTxid: 0,
  digest: NO_IDENTITY,
  identity: NO_IDENTITY,
  predecessorIdentity: NO_IDENTITY,
  endsDigest: 0,
  hintsCrc: 0,
  hintCount: 0,
  hintsBytes: 0,
};

/** Bytes of a segment by what they are. */
const parts = fc.oneof(
  { weight: 1, arbitrary: fc.constant({ live: 0, dead: 0, deletes: 0, raw: 0 }) },
  {
    weight: 6,
    arbitrary: fc.record({
      live: fc.nat(500),
      dead: fc.oneof(fc.constant(0), fc.nat(500)),
      deletes: fc.oneof(fc.constant(0), fc.nat(200)),
      raw: fc.oneof(fc.constant(0), fc.nat(100)),
    }),
  },
);
const candidates: fc.Arbitrary<MergeCandidate[]> = fc
  .array(fc.tuple(parts, fc.integer({ min: 0, max: 9 })), { maxLength: 12 })
  .map((segments) =>
    segments.map(([{ live, dead, deletes, raw }, ticket], index) => ({
      segmentId: index + 1,
      sizeBytes: live + dead + deletes + raw,
      seal: ticket === 0 ? undefined : SEAL,
      usage: { putBytes: live + dead, liveBytes: live, deleteBytes: deletes },
    })),
  );
const deadRatio = fc.oneof(fc.constantFrom(0, 1), fc.double({ min: 0, max: 1, noNaN: true }));

function lowestOf(segments: readonly MergeCandidate[]): number | undefined {
  return segments.find(({ sizeBytes }) => sizeBytes > 0)?.segmentId;
}

/** What a merge that keeps all Deletes, where it may have to, makes of a run. */
function merged(
  segments: readonly MergeCandidate[],
  run: readonly MergeCandidate[],
): MergeCandidate[] {
  const isLowest = run[0]?.segmentId === lowestOf(segments);
  const sum = (of: (candidate: MergeCandidate, index: number) => number) =>
    run.reduce((total, candidate, index) => total + of(candidate, index), 0);
  const liveBytes = sum(({ usage }) => usage.liveBytes);
  const deleteBytes = sum(({ usage }, index) => (isLowest && index === 0 ? 0 : usage.deleteBytes));
  const raw = sum(({ sizeBytes, usage }) => sizeBytes - usage.putBytes - usage.deleteBytes);
  return segments.map((candidate) => {
    if (!run.includes(candidate)) return candidate;
    const isOutput = candidate === run.at(-1);
    return {
      segmentId: candidate.segmentId,
      sizeBytes: isOutput ? liveBytes + deleteBytes + raw : 0,
      seal: isOutput ? SEAL : undefined,
      usage: isOutput
        ? { putBytes: liveBytes, liveBytes, deleteBytes }
        : { putBytes: 0, liveBytes: 0, deleteBytes: 0 },
    };
  });
}

describe('the choice of a run', () => {
  test('is contiguous, ends in segments that hold something, has only sealed ones, and fits in one', () => {
    fc.assert(
      fc.property(candidates, deadRatio, (segments, ratio) => {
        const run = chooseRun(segments, ratio, SEGMENT_BYTES);
        const garbageOf = (one: MergeCandidate) =>
          garbageBytes(one, one.segmentId === lowestOf(segments));
        const shareOf = (one: MergeCandidate) => garbageOf(one) / Math.max(one.sizeBytes, 1);
        const worth = segments.filter(
          (one) => one.seal && garbageOf(one) > 0 && shareOf(one) >= ratio,
        );
        if (run === undefined) {
          expect(worth).toEqual([]);
          return;
        }
        const firstAt = segments.indexOf(run[0] as MergeCandidate);
        expect(run).toEqual(segments.slice(firstAt, firstAt + run.length));
        expect(run[0]?.sizeBytes).toBeGreaterThan(0);
        expect(run.at(-1)?.sizeBytes).toBeGreaterThan(0);
        expect(run.filter(({ sizeBytes, seal }) => sizeBytes > 0 && seal === undefined)).toEqual(
          [],
        );
        const best = Math.max(...worth.map(shareOf));
        expect(run.map(shareOf)).toContain(best);
        const keptOf = (one: MergeCandidate) => one.sizeBytes - garbageOf(one);
        const kept = run.reduce((sum, one) => sum + keptOf(one), 0);
        const filled = run.filter(({ sizeBytes }) => sizeBytes > 0);
        if (filled.length > 1) expect(kept).toBeLessThanOrEqual(SEGMENT_BYTES);
      }),
    );
  });

  test('comes to an end: what was merged is not merged again for nothing', () => {
    fc.assert(
      fc.property(candidates, deadRatio, (segments, ratio) => {
        let now: readonly MergeCandidate[] = segments;
        // At most one merge for each segment's garbage, and one more for the Deletes when another
        // becomes the lowest.
        for (let merges = 0; merges <= 2 * segments.length; merges++) {
          const run = chooseRun(now, ratio, SEGMENT_BYTES);
          if (run === undefined) return;
          now = merged(now, run);
        }
        expect.unreachable('merges without end');
      }),
    );
  });
});
