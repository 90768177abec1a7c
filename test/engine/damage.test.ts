import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MemoryFileSystem } from '../../harness/file-systems/memory-file-system.ts';
import { segmentPath } from '../../src/engine/format/segment-name.ts';
import type { Store } from '../../src/engine/index.ts';
import { DIRECTORY, open, withoutSidecars } from './store-in-memory.ts';

/** One step of a log's history: an operation, a rotation or a sync. */
type Step =
  | { readonly type: 'put'; readonly key: string; readonly value: string }
  | { readonly type: 'del'; readonly key: string }
  | { readonly type: 'rotate' }
  | { readonly type: 'sync' };

const key = fc.constantFrom('a', 'b', 'c', '');
const put = fc.record({
  type: fc.constant('put' as const),
  key,
  value: fc.string({ maxLength: 40 }),
});
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: put },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('del' as const), key }) },
  { weight: 1, arbitrary: fc.constant({ type: 'rotate' as const }) },
  { weight: 1, arbitrary: fc.constant({ type: 'sync' as const }) },
);

interface Damage {
  readonly kind: 'flip' | 'zero' | 'overwrite' | 'cut';
  /** Fractions of all segments, of the segment's bytes, and of the bytes behind that place. */
  readonly segment: number;
  readonly from: number;
  readonly length: number;
  readonly bytes: Uint8Array;
}

const fraction = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const damage: fc.Arbitrary<Damage> = fc.record({
  kind: fc.constantFrom('flip' as const, 'zero' as const, 'overwrite' as const, 'cut' as const),
  segment: fraction,
  from: fraction,
  length: fraction,
  bytes: fc.uint8Array({ minLength: 1, maxLength: 40 }),
});

type Pairs = ReadonlyMap<string, string>;

/**
 * A log that died after the steps: the store's pairs after each operation, and how many of them
 * were durable.
 */
async function diedAfter(steps: readonly Step[]) {
  const fileSystem = new MemoryFileSystem();
  const store = await open(fileSystem);
  const states: Pairs[] = [new Map()];
  let durable = 0;
  for (const one of steps) {
    const pairs = new Map(states.at(-1));
    if (one.type === 'put') store.put(one.key, one.value);
    if (one.type === 'put') pairs.set(one.key, one.value);
    if (one.type === 'del') store.delete(one.key);
    if (one.type === 'del') pairs.delete(one.key);
    if (one.type === 'rotate') store.rotate();
    if (one.type === 'sync') await store.sync();
    if (one.type === 'sync') durable = states.length - 1;
    if (one.type === 'put' || one.type === 'del') states.push(pairs);
  }
  return {
    fileSystem: fileSystem.afterProcessDeath(),
    states,
    durable,
    lastSegment: store.end.segmentId,
  };
}

function apply(fileSystem: MemoryFileSystem, lastSegment: number, damage: Damage): void {
  const { kind, bytes: junk } = damage;
  // A sealed segment that lost whole records at its end looks whole: only its seal file could tell.
  const segmentId = kind === 'cut' ? lastSegment : 1 + Math.floor(damage.segment * lastSegment);
  fileSystem.mutate(segmentPath(DIRECTORY, segmentId), (bytes) => {
    const from = Math.floor(damage.from * bytes.length);
    const to = from + Math.ceil(damage.length * (bytes.length - from));
    if (kind === 'cut') return bytes.subarray(0, from);
    if (kind === 'zero') return bytes.fill(0, from, to);
    if (kind === 'overwrite') bytes.set(junk.subarray(0, bytes.length - from), from);
    else if (bytes.length > 0) bytes[from] = (bytes[from] as number) ^ (junk[0] as number);
    return bytes;
  });
}

function pairsOf(store: Store): Pairs {
  return new Map([...store.entries()].map(([key, value]) => [String(key), String(value)]));
}

/** Is the store what the first k operations made, for a k of at least `least`? */
function expectPrefix(store: Store, states: readonly Pairs[], least: number): void {
  const { recordsKept } = store.recoveryReport;
  expect(recordsKept).toBeGreaterThanOrEqual(least);
  expect(pairsOf(store)).toEqual(states[recordsKept]);
}

describe('a damaged log', () => {
  test('opens as a prefix of its history that holds all that was durable, or is refused', async () => {
    const outcomes = { prefix: 0, refused: 0 };
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 1, maxLength: 25 }),
        damage,
        fc.boolean(),
        async (steps, harm, sidecars) => {
          const { fileSystem, states, durable, lastSegment } = await diedAfter(steps);
          if (!sidecars) withoutSidecars(fileSystem);
          apply(fileSystem, lastSegment, harm);
          try {
            const store = await open(fileSystem);
            expectPrefix(store, states, sidecars ? durable : 0);
            const again = await open(fileSystem.afterProcessDeath());
            expectPrefix(again, states, store.recoveryReport.recordsKept);
            outcomes.prefix++;
          } catch (error) {
            if ((error as { name: string }).name !== 'StoreError') throw error;
            expect(['STORE_CORRUPT', 'AMBIGUOUS_TAIL']).toContain((error as { code: string }).code);
            outcomes.refused++;
          }
        },
      ),
      { numRuns: 500 },
    );
    // Both ends of the property were met, so neither half is vacuous.
    expect(Math.min(outcomes.prefix, outcomes.refused)).toBeGreaterThan(50);
  });
});
