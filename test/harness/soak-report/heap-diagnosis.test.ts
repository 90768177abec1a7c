import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { readSummary, runSoak } from '../soak/soak-command.ts';

/** A map in memory that each life of the directory shares; `keeps` is what a put leaves behind. */
function storeThatKeeps(keeps: string): string {
  return `const lives = new Map();
const recentPuts = [];
const seenKeys = new Map();
let last;
const nameOf = (key) => Buffer.from(key).toString('base64');
export default async function open(directory) {
  if (!lives.has(directory)) lives.set(directory, new Map());
  const map = lives.get(directory);
  return {
    get: (key) => map.get(nameOf(key)),
    put(key, value) { map.set(nameOf(key), value.slice()); ${keeps} },
    delete: (key) => map.delete(nameOf(key)),
    *entries() { for (const [name, value] of map) yield [Buffer.from(name, 'base64'), value]; },
    close() {},
  };
}
export const history = () => [recentPuts, seenKeys, last];
`;
}

test.each([
  [
    'an array of objects',
    'recentPuts.push({ at: recentPuts.length });',
    'recentPuts: Array',
    'Object',
  ],
  ['a map', 'seenKeys.set(seenKeys.size, [1]);', 'seenKeys: Map', 'Array'],
  ['numbers alone', 'recentPuts.push(1);', 'recentPuts: Array', 'elements of arrays and maps'],
])('%s that grows is named, with what holds it and where', async (_, keeps, holder, kind) => {
  const directory = temporaryDirectory();
  const adapter = join(directory, 'keeping.mjs');
  writeFileSync(adapter, storeThatKeeps(keeps));
  const out = join(directory, 'out');
  await runSoak([
    '--adapter',
    adapter,
    '--seconds',
    '1',
    '--keys',
    '50',
    '--diagnose-heap',
    '--out',
    out,
  ]);
  const { heap } = readSummary(out);
  expect(heap.grown.map(({ kind: name }: { kind: string }) => name)).toContain(kind);
  expect(heap.path).toContain(holder);
  expect(heap.place).toMatch(/keeping\.mjs:\d+$/);
});

test('nothing is named of a store that keeps nothing', async () => {
  const directory = temporaryDirectory();
  const adapter = join(directory, 'clean.mjs');
  writeFileSync(adapter, storeThatKeeps(''));
  const out = join(directory, 'out');
  await runSoak([
    '--adapter',
    adapter,
    '--seconds',
    '1',
    '--keys',
    '50',
    '--diagnose-heap',
    '--out',
    out,
  ]);
  expect(readSummary(out).heap).toMatchObject({ grown: [], path: [], place: null });
});
