import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  cpSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { planCampaign, readCampaign } from '../../../../harness/campaign/campaign-file.ts';
import type { CampaignFile } from '../../../../harness/campaign/campaign-schema.ts';
import { mergeBlobs, NOT_DETERMINISTIC } from '../../../../harness/campaign/merge.ts';
import { runShard } from '../../../../harness/campaign/run-shard.ts';
import {
  FLEETS,
  parseShard,
  parseUnits,
  unitsOfShard,
} from '../../../../harness/campaign/shard.ts';
import { digestOf, type UnitPart } from '../../../../harness/campaign/unit.ts';
import { UsageError } from '../../../../harness/command-line.ts';
import { Prng } from '../../../../harness/prng.ts';
import { temporaryDirectory } from '../../../support/temporary-directory.ts';

/** They are also imported by programs that run without a compiler. */
const MADE_UP = new URL('./made-up-parts.mjs', import.meta.url).href;
const PARTS: UnitPart[] = (await import(MADE_UP)).madeUpParts();
const program = new URL('./made-up-worker.mjs', import.meta.url);
const SHARD_PROGRAM = fileURLToPath(new URL('./made-up-shard.mjs', import.meta.url));

let campaign: CampaignFile;
/** A whole campaign in three blobs. */
let whole: string;
beforeAll(async () => {
  campaign = await planCampaign(PARTS, 'quick', 7, {});
  whole = mkdtempSync(join(tmpdir(), 'tidemark-test-'));
  for (const index of [1, 2, 3]) await shard(join(whole, `blob-${index}`), index, 3);
});
afterAll(() => rmSync(whole, { recursive: true, force: true }));

async function shard(directory: string, index: number, count: number) {
  return runShard({
    campaign,
    shard: { index, count },
    units: unitsOfShard(campaign, { index, count }),
    directory,
    resumes: false,
    workers: 2,
    seconds: undefined,
    program,
    signal: new AbortController().signal,
  });
}

/** A copy of it that may be spoilt. */
function spoilt(how: (root: string) => void): string {
  const root = temporaryDirectory();
  cpSync(whole, root, { recursive: true });
  how(root);
  return root;
}

const linesOf = (root: string, blob: number) => join(root, `blob-${blob}`, 'units.jsonl');
const merged = (root: string) => mergeBlobs(campaign, [root]);

test.each([1, 2, 7])(
  'the merge of %i shards equals that of three, to the digest and every count',
  async (count) => {
    const root = temporaryDirectory();
    for (let index = 1; index <= count; index++)
      await shard(join(root, String(index)), index, count);
    const { digest, parts, verdict } = merged(root);
    const three = merged(whole);
    expect(verdict).toBe('pass');
    expect(digest).toBe(three.digest);
    for (const [name, part] of Object.entries(parts)) {
      const other = three.parts[name];
      expect([name, part.counts, part.measured, part.digest]).toEqual([
        name,
        other?.counts,
        other?.measured,
        other?.digest,
      ]);
    }
  },
);

describe('of a campaign in three blobs', () => {
  test('one that is deleted makes it inconclusive, and what is missing is named', () => {
    const result = merged(spoilt((root) => rmSync(join(root, 'blob-2'), { recursive: true })));
    expect(result.verdict).toBe('inconclusive');
    expect(result.missing).toEqual({ first: '1,4,7,10,13,16,19,22', second: '1,4,7' });
    expect(
      Object.entries(result.missing).flatMap(([part, list]) =>
        parseUnits(`${part}:${list}`, campaign),
      ),
    ).toEqual(unitsOfShard(campaign, { index: 2, count: 3 }));
  });

  test('one that is truncated, at any byte, loses whole units and makes it inconclusive', () => {
    const { length } = readFileSync(linesOf(whole, 1));
    for (let at = 0; at < length; at += 397) {
      const result = merged(spoilt((root) => truncateSync(linesOf(root, 1), at)));
      expect([at, result.verdict]).toEqual([at, 'inconclusive']);
      expect(result.missingUnits).toBeGreaterThan(0);
    }
  });

  test('one that is there twice changes nothing', () => {
    const result = merged(
      spoilt((root) => cpSync(join(root, 'blob-1'), join(root, 'again'), { recursive: true })),
    );
    const { doubles, blobs, ...rest } = result;
    const { doubles: _, blobs: __, ...once } = merged(whole);
    expect(doubles).toBe(11);
    expect(blobs).toBe(4);
    expect(rest).toEqual(once);
  });

  test.each([
    ['another build', { build: 'f'.repeat(64) }],
    ['another Node', { node: 18 }],
    ['another campaign', { campaign: '0'.repeat(16) }],
  ])('one of %s is refused', (_, other) => {
    const root = spoilt((root) => rewrite(linesOf(root, 3), 0, (line) => ({ ...line, ...other })));
    expect(() => merged(root)).toThrow(UsageError);
  });

  test('one with a changed byte, wherever it is, is refused, or lacks a unit', () => {
    const bytes = readFileSync(linesOf(whole, 1));
    for (let at = 0; at < bytes.length; at += 211) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] as number) ^ 1;
      const root = spoilt((root) => writeFileSync(linesOf(root, 1), changed));
      let verdict: string;
      try {
        verdict = merged(root).verdict;
      } catch (error) {
        expect(error).toBeInstanceOf(UsageError);
        verdict = 'refused';
      }
      // Without its line feed the last line was never finished.
      expect([at, verdict]).toEqual([at, at === bytes.length - 1 ? 'inconclusive' : 'refused']);
    }
  });

  test('a unit that comes twice and differs is a finding of its own', () => {
    const root = spoilt((root) => {
      cpSync(join(root, 'blob-1'), join(root, 'again'), { recursive: true });
      rewrite(join(root, 'again', 'units.jsonl'), 1, (line) => ({ ...line, digest: '0' }));
    });
    const { verdict, findings } = merged(root);
    expect(verdict).toBe('broken');
    expect(findings.map(({ invariant, units }) => [invariant, units.length])).toEqual([
      [NOT_DETERMINISTIC, 1],
    ]);
  });
});

/** Writes one line of a blob anew, with a check that is right again. */
function rewrite(path: string, at: number, change: (line: object) => object): void {
  const lines = readFileSync(path, 'utf8').split('\n');
  const { check: _, ...line } = JSON.parse(lines[at] as string);
  const changed = change(line);
  const check = digestOf(JSON.stringify(changed)).slice(0, 16);
  lines[at] = JSON.stringify({ ...changed, check });
  writeFileSync(path, lines.join('\n'));
}

test('a shard that is killed at random moments and resumed, twenty times, equals an undisturbed one', async () => {
  const root = temporaryDirectory();
  const file = join(root, 'campaign.json');
  writeFileSync(file, JSON.stringify(campaign));
  const prng = Prng.seeded(5);
  let kills = 0;
  for (let round = 0; kills < 20; round++) {
    const blob = join(root, `round-${round}`);
    for (let isDone = false; !isDone; ) {
      const child = spawn(process.execPath, [SHARD_PROGRAM, file, '1/1', blob], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      // Dies when so many units more were told, or in between.
      let left = 1 + prng.below(kills < 20 ? 9 : 1000);
      child.stdout.on('data', (dots: Buffer) => {
        left -= dots.length;
        if (left <= 0 && kills < 20) child.kill('SIGKILL');
      });
      const [code] = await once(child, 'close');
      if (code === null) kills++;
      else isDone = code === 0;
      // The next may find half a line.
      if (code === null && prng.below(2) === 0)
        appendFileSync(join(blob, 'units.jsonl'), '{"part":"first","uni');
    }
    const { verdict, digest } = mergeBlobs(campaign, [blob]);
    expect([verdict, digest]).toEqual(['pass', merged(whole).digest]);
  }
  expect(kills).toBe(20);
});

test('what is found is found by the shard that has the unit, and stands once in the merged report', async () => {
  const root = temporaryDirectory();
  process.env.MADE_UP_BROKEN = 'first:4 first:10 second:3';
  try {
    const ends = [];
    for (const index of [1, 2, 3]) ends.push(await shard(join(root, String(index)), index, 3));
    // Units 4 and 10 are dealt to the second shard, 3 to the first.
    expect(ends.map(({ broken }) => broken)).toEqual([1, 2, 0]);
  } finally {
    delete process.env.MADE_UP_BROKEN;
  }
  const { verdict, findings } = merged(root);
  expect(verdict).toBe('broken');
  expect(findings.map(({ part, units }) => [part, units])).toEqual([
    ['first', [4, 10]],
    ['second', [3]],
  ]);
});

test('below a floor the whole is inconclusive, and says by how much', () => {
  const { id, ...rest } = campaign;
  const floors = { steps: 1000 };
  const greedy = {
    ...rest,
    id,
    parts: { ...rest.parts, first: { ...rest.parts.first, units: 23, floors } },
  };
  const { verdict, tooLittle } = mergeBlobs(greedy, [whole]);
  expect(verdict).toBe('inconclusive');
  expect(tooLittle).toEqual(['first: 276 steps of at least 1000, 724 too few']);
});

test('what a budget leaves undone is listed, and done by a resumption', async () => {
  const directory = join(temporaryDirectory(), 'blob');
  const stop = new AbortController();
  const options = {
    campaign,
    shard: { index: 1, count: 1 },
    units: unitsOfShard(campaign, { index: 1, count: 1 }),
    directory,
    workers: 1,
    seconds: undefined,
    program,
  };
  const cut = await runShard({
    ...options,
    resumes: false,
    signal: stop.signal,
    onUnit: (_, done) => {
      if (done === 5) stop.abort();
    },
  });
  expect(cut.done).toBe(5);
  expect(cut.notDone).toEqual({ first: '5-22', second: '0-8' });
  const rest = await runShard({ ...options, resumes: true, signal: new AbortController().signal });
  expect(rest.notDone).toEqual({});
  expect(mergeBlobs(campaign, [directory]).digest).toBe(merged(whole).digest);
});

test('a campaign that was changed by hand, or is none, is refused', () => {
  const path = join(temporaryDirectory(), 'campaign.json');
  for (const text of ['', '{}', JSON.stringify({ ...campaign, seed: campaign.seed + 1 })]) {
    writeFileSync(path, text);
    expect(() => readCampaign(path)).toThrow(UsageError);
  }
  writeFileSync(path, JSON.stringify(campaign));
  expect(readCampaign(path)).toEqual(campaign);
});

describe('--shard', () => {
  test.each(FLEETS)('auto reads what $name sets', ({ index, count, base }) => {
    const environment = { [index]: String(2 + base), [count]: '16' };
    expect(parseShard('auto', environment)).toEqual({ index: 3, count: 16 });
    for (const wrong of ['', 'x', String(16 + base), '-1'])
      expect(() => parseShard('auto', { ...environment, [index]: wrong })).toThrow(UsageError);
    expect(() => parseShard('auto', { [index]: '3' })).toThrow(UsageError);
  });

  test('auto without any of them, and what is no share, are refused', () => {
    for (const text of ['auto', '0/3', '4/3', '1', '1/0', '-1/3', 'a/b'])
      expect(() => parseShard(text, {})).toThrow(UsageError);
  });

  test('every unit is in exactly one share', () => {
    for (const count of [1, 2, 3, 7, 40]) {
      const all = Array.from({ length: count }, (_, at) =>
        unitsOfShard(campaign, { index: at + 1, count }),
      ).flat();
      const names = all.map(({ part, unit }) => `${part} ${unit}`);
      expect(new Set(names).size).toBe(names.length);
      expect(names.length).toBe(32);
    }
  });
});

test('units that the campaign does not have are refused', () => {
  for (const text of ['first', 'first:', 'first:23', 'first:3-2', 'third:0', 'first:1-x'])
    expect(() => parseUnits(text, campaign)).toThrow(UsageError);
});
