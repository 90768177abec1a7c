import { expect, test } from 'vitest';
import { formatBytes, formatDuration, formatSeconds, parseBytes } from '../../harness/units.ts';

test.each([
  ['1GB', 1e9],
  ['1GiB', 2 ** 30],
  ['512MB', 512e6],
  ['1.5 MiB', 1.5 * 2 ** 20],
  ['64k', 64_000],
  ['100', 100],
  ['100B', 100],
  ['0', undefined],
  ['-5MB', undefined],
  ['5XB', undefined],
  ['1iB', undefined],
  ['', undefined],
  ['9999999TB', undefined],
])('%j is %j bytes', (text, bytes) => {
  expect(parseBytes(text)).toBe(bytes);
});

test.each([
  [0, '0 B'],
  [999, '999 B'],
  [1000, '1.00 kB'],
  [12_345, '12.3 kB'],
  [999_499, '999 kB'],
  [999_600, '1.00 MB'],
  [9_996_000, '10.0 MB'],
  [1_073_741_824, '1.07 GB'],
])('%j bytes are shown as %j', (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});

test('durations are shown with as much as matters', () => {
  expect([850, 12_340, 59_980, 245_000, 11_500_000].map(formatDuration)).toEqual([
    '850 ms',
    '12.3 s',
    '1 min 00 s',
    '4 min 05 s',
    '3 h 12 min',
  ]);
  expect([0, 59, 61].map(formatSeconds)).toEqual(['0 s', '59 s', '1 min 01 s']);
});
