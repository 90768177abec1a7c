import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { DurableMark } from '../../src/engine/lock/durable-mark.ts';
import { type HeldSegment, LogHoldings } from '../../src/engine/lock/log-holdings.ts';
import {
  type DirectoryEvidence,
  type Judgement,
  judgeDirectory,
} from '../../src/engine/recovery/directory-evidence.ts';
import { NO_IDENTITY, type Seal } from '../../src/engine/seal/seal-file.ts';
import { SealSet } from '../../src/engine/seal/seal-set.ts';

const STORE_ID = Buffer.alloc(16, 7);
const digestOf = (text: string) => createHash('sha256').update(text).digest();

/** A segment by what is in it: its text stands for its bytes. */
function sealOf(segmentId: number, text: string, rest: Partial<Seal> = {}): Seal {
  const digest = digestOf(text);
  return {
    segmentId,
    firstId: segmentId,
    storeId: STORE_ID,
    byteLength: text.length,
    recordCount: 1,
    firstTxid: segmentId * 10,
    lastTxid: segmentId * 10 + 5,
    digest,
    identity: digest,
    predecessorIdentity: NO_IDENTITY,
    endsDigest: 0,
    hintsCrc: 0,
    hintCount: 0,
    hintsBytes: 0,
    ...rest,
  };
}

const held = (segmentId: number, text: string, merged = false): HeldSegment => ({
  segmentId,
  sizeBytes: text.length,
  mergedDigest: merged ? digestOf(text) : undefined,
});

function markAt(segmentId: number, holdings: LogHoldings | undefined, offset = 0): DurableMark {
  return {
    storeId: STORE_ID,
    sessionNonce: STORE_ID,
    segmentId,
    offset,
    nextTxid: 100,
    clean: true,
    holdings: holdings?.before(segmentId),
  };
}

function judge(
  segments: Readonly<Record<number, string>>,
  seals: readonly Seal[],
  mark: DurableMark | undefined,
): Judgement {
  const evidence: DirectoryEvidence = {
    segments: Object.entries(segments).map(([id, text]) => ({
      segmentId: Number(id),
      sizeBytes: text.length,
    })),
    seals: SealSet.of(seals),
    mark,
  };
  const digests = new Map<number, Buffer>();
  for (;;) {
    const judged = judgeDirectory(evidence, digests);
    if (!('digestsWanted' in judged)) return judged;
    for (const id of judged.digestsWanted) {
      expect(digests.has(id)).toBe(false);
      digests.set(id, digestOf(segments[id] ?? ''));
    }
  }
}

const said = ({ contradictions }: Judgement) =>
  contradictions.map(({ segmentId, damage }) => `${damage} ${segmentId}`).join(', ');

const ONE = sealOf(1, 'one');
const TWO = sealOf(2, 'second', { predecessorIdentity: ONE.identity });
const THREE = sealOf(3, 'third one', { predecessorIdentity: TWO.identity });
const WRITTEN = { 1: 'one', 2: 'second', 3: 'third one', 4: 'active' };
const MARKED = new LogHoldings([held(1, 'one'), held(2, 'second'), held(3, 'third one')]);
const SEALS = [ONE, TWO, THREE];

/** The output of a merge of segments 1 and 2, of which something was left out. */
const OUTPUT = sealOf(2, 'on2nd', { firstId: 1, identity: TWO.identity });
const MERGED = { 1: '', 2: 'on2nd', 3: 'third one', 4: 'active' };
const MERGED_SEALS = [OUTPUT, THREE];
const AFTER_MERGE = new LogHoldings([held(2, 'on2nd', true), held(3, 'third one')]);

function merging(): LogHoldings {
  const holdings = new LogHoldings([held(1, 'one'), held(2, 'second'), held(3, 'third one')]);
  holdings.beginMerge([1, 2], held(2, 'on2nd', true));
  return holdings;
}

const ROWS: readonly (readonly [
  string,
  Readonly<Record<number, string>>,
  readonly Seal[],
  DurableMark | undefined,
  string,
])[] = [
  ['a store closed in order', WRITTEN, SEALS, markAt(4, MARKED), ''],
  ['the same without seals', WRITTEN, [], markAt(4, MARKED), ''],
  ['the same without a mark', WRITTEN, SEALS, undefined, ''],
  ['the same with a mark of an earlier version', WRITTEN, SEALS, markAt(4, undefined), ''],
  ['neither seals nor mark', WRITTEN, [], undefined, ''],
  ['a seal gone', WRITTEN, [ONE, THREE], markAt(4, MARKED), ''],
  ['killed before the last was sealed', WRITTEN, [ONE, TWO], markAt(4, MARKED), ''],
  ['a mark that lags', WRITTEN, SEALS, markAt(2, MARKED), ''],
  [
    'a segment cut, its seal gone',
    { ...WRITTEN, 2: 'sec' },
    [ONE, THREE],
    markAt(4, MARKED),
    'contradicts-mark 2, contradicts-seal 2',
  ],
  [
    'the same, without a mark',
    { ...WRITTEN, 2: 'sec' },
    [ONE, THREE],
    undefined,
    'contradicts-seal 2',
  ],
  [
    'the same, with an earlier mark',
    { ...WRITTEN, 2: 'sec' },
    [ONE, THREE],
    markAt(4, undefined),
    'contradicts-seal 2',
  ],
  [
    'the same of the first segment',
    { ...WRITTEN, 1: 'on' },
    [TWO, THREE],
    undefined,
    'contradicts-seal 1',
  ],
  [
    'a segment emptied, its seal gone',
    { ...WRITTEN, 2: '' },
    [ONE, THREE],
    undefined,
    'contradicts-seal 2',
  ],
  [
    'the last sealed one emptied, its seal gone',
    { ...WRITTEN, 3: '' },
    [ONE, TWO],
    markAt(4, MARKED),
    'contradicts-mark 3',
  ],
  [
    'nothing sealed, one cut',
    { ...WRITTEN, 2: 'sec' },
    [],
    markAt(4, MARKED),
    'contradicts-mark 1',
  ],
  [
    'replaced by as many bytes, its seal gone',
    { ...WRITTEN, 2: 'others' },
    [ONE, THREE],
    markAt(4, MARKED),
    'contradicts-seal 2',
  ],
  [
    'all sealed segments gone, seals and mark there',
    { 4: 'active' },
    SEALS,
    markAt(4, undefined),
    'missing-segment 1, missing-segment 2, missing-segment 3',
  ],
  [
    'all sealed segments and seals gone',
    { 4: 'active' },
    [],
    markAt(4, MARKED),
    'missing-segment 1',
  ],
  [
    'one in the middle gone with its seal',
    { 1: 'one', 3: 'third one', 4: 'active' },
    [ONE, THREE],
    markAt(4, MARKED),
    'missing-segment 2',
  ],
  [
    'a segment in front that was never there',
    { ...WRITTEN, 0: 'x' },
    SEALS,
    markAt(4, MARKED),
    'contradicts-mark 0',
  ],
  ['after a merge', MERGED, MERGED_SEALS, markAt(4, AFTER_MERGE), ''],
  ['after a merge, before the next mark', MERGED, MERGED_SEALS, markAt(4, merging()), ''],
  ['announced, and not merged', WRITTEN, SEALS, markAt(4, merging()), ''],
  ['merged, the seal of the output lost', MERGED, [THREE], markAt(4, AFTER_MERGE), ''],
  [
    'merged, and half of it put back',
    { ...MERGED, 2: 'second' },
    [TWO, THREE],
    markAt(4, AFTER_MERGE),
    'contradicts-mark 1, contradicts-seal 1',
  ],
  [
    'merged, half of it put back, its seal lost',
    { ...MERGED, 2: 'second' },
    [THREE],
    markAt(4, AFTER_MERGE),
    'contradicts-mark 1',
  ],
  [
    'an absorbed segment that was not emptied yet',
    { ...MERGED, 1: '' },
    MERGED_SEALS,
    markAt(4, AFTER_MERGE),
    '',
  ],
  ['a mark of before the merge', MERGED, MERGED_SEALS, markAt(4, MARKED), 'contradicts-mark 1'],
  [
    'a mark inside of what was merged',
    MERGED,
    MERGED_SEALS,
    markAt(2, undefined, 3),
    'contradicts-mark 2',
  ],
  [
    'the lowest one merged, its seal lost, an earlier mark',
    { 2: 'on2nd', 3: 'third one' },
    [THREE],
    markAt(3, undefined),
    '',
  ],
];

describe('what a directory holds', () => {
  test.each(ROWS)('%s', (_name, segments, seals, mark, expected) => {
    expect(said(judge(segments, seals, mark))).toBe(expected);
  });

  test('tells which segments without a seal a merge has written', () => {
    const { merged } = judge(MERGED, [THREE], markAt(4, AFTER_MERGE));
    expect([...merged]).toEqual([[2, digestOf('on2nd')]]);
    expect(judge(WRITTEN, [], markAt(4, MARKED)).merged.size).toBe(0);
  });

  test('is summed up the same whether a segment was there from the start or came by rotations and merges', () => {
    const holdings = new LogHoldings([held(1, 'one')]);
    for (const id of [2, 3]) holdings.add(held(id, id === 2 ? 'second' : 'third one'));
    expect(holdings.before(4)).toEqual(MARKED.before(4));
    expect(holdings.before(2)).toEqual(MARKED.before(2));
    holdings.beginMerge([1, 2], held(2, 'on2nd', true));
    expect(holdings.before(4).afterMerge).toEqual(AFTER_MERGE.before(4).before);
    holdings.endMerge([1, 2]);
    expect(holdings.before(4)).toEqual(AFTER_MERGE.before(4));
    holdings.beginMerge([2, 3], held(3, ''));
    holdings.cancelMerge();
    expect(holdings.before(4)).toEqual(AFTER_MERGE.before(4));
    holdings.beginMerge([2, 3], held(3, ''));
    holdings.endMerge([2, 3]);
    expect(holdings.before(4)).toEqual(new LogHoldings([]).before(4));
  });
});
