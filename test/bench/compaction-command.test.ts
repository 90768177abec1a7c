import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import type { CompactionMeasures } from '../../bench/compaction/contender.ts';
import { compactionTable } from '../../bench/compaction/table.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const SECONDS = 1;
const OPERATIONS_PER_SECOND = 12_000;

test('both sides do the same work, and only what merging writes differs', async () => {
  const directory = temporaryDirectory();
  const out = join(directory, 'out', 'compaction.json');
  await promisify(execFile)(process.execPath, [
    ...['dist/bench/main.js', 'compaction', '--dir', directory, '--allow-tmpfs', '--out', out],
    ...['--launches', '1', '--seconds', String(SECONDS), '--scale', '0.02'],
  ]);
  const sides = JSON.parse(readFileSync(out, 'utf8')) as Record<
    'without' | 'merging',
    CompactionMeasures[]
  >;
  const [without] = sides.without as [CompactionMeasures];
  const [merging] = sides.merging as [CompactionMeasures];
  expect(merging.appendedBytes).toBe(without.appendedBytes);
  for (const { put, get } of [without, merging]) {
    expect(put.call.count + get.call.count).toBe(SECONDS * OPERATIONS_PER_SECOND);
    expect([put.wait.count, get.wait.count]).toEqual([put.call.count, get.call.count]);
  }
  expect(without.merges.count).toBe(0);
  // 1,000 keys and 4 puts of each fill less than a segment: nothing is merged before `compact` is
  // called.
  expect(without.alone.inputBytes).toBeGreaterThan(without.appendedBytes);
  expect(without.writtenBytes).toBeGreaterThanOrEqual(without.appendedBytes);
  expect(readdirSync(directory)).toEqual(['out']);
});

test('each target is judged by the side that it is about', () => {
  const latencies = { count: 1, p50: 1000, p99: 1000, p999: 1000, max: 1000 };
  const base: CompactionMeasures = {
    put: { call: latencies, wait: latencies },
    get: { call: latencies, wait: latencies },
    loopDelay: latencies,
    appendedBytes: 100,
    writtenBytes: 100,
    meanLiveShare: 0.1,
    leastLiveShare: 0.1,
    merges: { count: 0, inputBytes: 0, durationNs: 0 },
    alone: { count: 1, inputBytes: 150e6, durationNs: 1e9 },
  };
  const slow = { ...latencies, p999: 1000 + 2_000_001 };
  const merging = { ...base, get: { call: latencies, wait: slow }, meanLiveShare: 0.6 };
  const { lines } = compactionTable({ without: [base], merging: [merging] });
  const verdicts = lines.flatMap(([name, , , , verdict]) =>
    verdict === '' ? [] : [[name, verdict]],
  );
  expect(Object.fromEntries(verdicts)).toEqual({
    'put, the call: p99.9': 'met',
    'put, since it was due: p99.9': 'met',
    'get, the call: p99.9': 'met',
    'get, since it was due: p99.9': 'missed',
    'live bytes over bytes on disk, mean': 'met',
    'input of merges alone': 'met',
  });
});
