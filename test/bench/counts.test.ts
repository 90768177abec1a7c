import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const FRAME_BYTES = 144;
const USER_BYTES = 116;
const LOG_BYTES = 10_000 * FRAME_BYTES;

test('what an operation asks of the disk is exactly this', async () => {
  const directory = temporaryDirectory();
  const out = join(directory, 'counts.json');
  await promisify(execFile)(process.execPath, [
    'dist/bench/main.js',
    'counts',
    '--allow-tmpfs',
    ...['--dir', directory],
    ...['--out', out],
  ]);
  const { counts } = JSON.parse(readFileSync(out, 'utf8')) as {
    counts: { id: string; value: number }[];
  };
  expect(Object.fromEntries(counts.map(({ id, value }) => [id, value]))).toMatchObject({
    'put-writes': 1,
    'put-syncs': 0,
    'put-preads': 0,
    'put-amplification': FRAME_BYTES / USER_BYTES,
    'get-preads': 1,
    'get-pread-bytes': FRAME_BYTES,
    'miss-preads': 0,
    'has-preads': 0,
    'batch-writes': 1,
    'batch-amplification': FRAME_BYTES / USER_BYTES,
    'large-put-writes': 1,
    'put-durable-syncs': 1,
    // The frame, and the durable mark behind it.
    'put-durable-writes': 2,
    'put-durable-64-syncs': 1,
    'idle-sync-syncs': 0,
    'open-preads': 2,
    // The frame that the first chunk of 1 MiB cuts in two is read again, from its beginning.
    'open-pread-bytes': 1 + (2 ** 20 % FRAME_BYTES) / LOG_BYTES,
    'scan-preads': 2,
    // One of the lock, two of the mark, two of the active segment; a read opens another.
    'descriptors-open': 5,
    'descriptors-read': 6,
    'descriptors-closed': 0,
    'compact-merges': 5,
    'compact-output': 0.5,
    'compact-garbage': 0,
    'put-heap': 0,
    'get-heap': 0,
  });
});
