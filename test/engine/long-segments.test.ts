import { expect, test } from 'vitest';
import { notesOfLongSegments } from '../../src/engine/recovery/log-opening.ts';

test('a segment that is never merged, because no seal can hold its places, is told of', () => {
  const notes = notesOfLongSegments([
    { segmentId: 1, sizeBytes: 2 ** 32 },
    { segmentId: 2, sizeBytes: 2 ** 32 + 1 },
  ]);
  expect(notes).toEqual([expect.stringMatching(/^00000002\.dwal is longer than 4 GiB.*compactTo/)]);
});
