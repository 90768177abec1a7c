import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DiskModel, type Fate } from '../../harness/crash/disk/disk-model.ts';
import { crashImages, imageDigest } from '../../harness/crash/states/crash-images.ts';
import { type DiskImage, EMPTY_DISK } from '../../harness/file-systems/disk-image.ts';
import type { TraceEvent } from '../../harness/file-systems/trace.ts';
import { Prng } from '../../harness/prng.ts';

/** What a power cut may leave of a trace, by example and by property. */
const write = (inode: number, position: number, text: string): TraceEvent => ({
  kind: 'write',
  inode,
  position,
  bytes: Buffer.from(text),
});
const create = (path: string, inode: number): TraceEvent => ({ kind: 'create', path, inode });
const rename = (from: string, to: string, inode: number): TraceEvent => ({
  kind: 'rename',
  from,
  to,
  inode,
});
const dataSync = (inode: number, since = Number.POSITIVE_INFINITY): TraceEvent => ({
  kind: 'dataSync',
  inode,
  since,
});
const directorySync = (path: string): TraceEvent => ({
  kind: 'directorySync',
  path,
  since: Number.POSITIVE_INFINITY,
});

function diskAfter(...trace: readonly TraceEvent[]): DiskModel {
  const disk = new DiskModel(EMPTY_DISK, () => 0);
  for (const [at, event] of trace.entries()) disk.advance(event, at);
  return disk;
}

function filesIn({ files }: DiskImage): Record<string, string> {
  return Object.fromEntries([...files].map(([path, bytes]) => [path, bytes.toString('latin1')]));
}

/** Every image that the enumeration comes to, each once. */
function imagesOf(disk: DiskModel, tearsAWrite = 0): Record<string, string>[] {
  const images = new Map<string, Record<string, string>>();
  for (const image of crashImages(disk, Prng.seeded(1), { subsets: 50, tearsAWrite }))
    images.set(imageDigest(image), filesIn(image));
  return [...images.values()];
}

/** The image in which every piece met the same fate. */
const all = (fate: Fate) => () => fate;
const inTurn =
  (...fates: Fate[]) =>
  (index: number) =>
    fates[index] as Fate;

describe('what is synced, and what is not', () => {
  test('a synced write stays, an unsynced one may be lost, and nothing orders two of them', () => {
    const disk = diskAfter(
      create('/f', 7),
      directorySync('/'),
      write(7, 0, 'aa'),
      dataSync(7),
      write(7, 2, 'bb'),
      write(7, 4, 'cc'),
    );
    expect(imagesOf(disk).sort((a, b) => (`${a['/f']}` < `${b['/f']}` ? -1 : 1))).toEqual([
      { '/f': 'aa' },
      { '/f': 'aa\0\0cc' },
      { '/f': 'aabb' },
      { '/f': 'aabbcc' },
    ]);
  });

  test('a sync covers what came before it began, not what came before it ended', () => {
    const disk = diskAfter(
      create('/f', 7),
      directorySync('/'),
      write(7, 0, 'a'),
      write(7, 1, 'b'),
      dataSync(7, 3),
    );
    expect(disk.pieces).toHaveLength(1);
    expect(filesIn(disk.image(all('lost')))).toEqual({ '/f': 'a' });
  });

  test('synced bytes of a file whose name is not synced are out of reach without it', () => {
    const disk = diskAfter(create('/f', 7), write(7, 0, 'a'), dataSync(7));
    expect(imagesOf(disk)).toEqual([{}, { '/f': 'a' }]);
  });

  test('a directory that is lost takes along what is in it, at every depth', () => {
    const disk = diskAfter(
      { kind: 'makeDirectory', path: '/d' },
      { kind: 'makeDirectory', path: '/d/e' },
      create('/d/e/f', 7),
      directorySync('/d/e'),
      directorySync('/d'),
    );
    expect(imagesOf(disk)).toEqual([{}, { '/d/e/f': '' }]);
    expect([...disk.image(all('lost')).directories]).toEqual(['/']);
  });
});

describe('names', () => {
  test('a removal may outlive the creation before it, and the other way round', () => {
    const disk = diskAfter(create('/f', 7), write(7, 0, 'old'), dataSync(7), directorySync('/'), {
      kind: 'remove',
      path: '/f',
    });
    disk.advance(create('/f', 8), 5);
    const found = imagesOf(disk).map((files) => files['/f']);
    expect(new Set(found)).toEqual(new Set(['old', undefined, '']));
  });

  test('a rename carries its file, also when the creation of the old name is lost', () => {
    const disk = diskAfter(create('/t', 7), write(7, 0, 'new'), dataSync(7), rename('/t', '/f', 7));
    expect(filesIn(disk.image(inTurn('lost', 'kept')))).toEqual({ '/f': 'new' });
    expect(filesIn(disk.image(inTurn('kept', 'lost')))).toEqual({ '/t': 'new' });
  });

  test('a rename that is lost leaves the file that it would have replaced', () => {
    const disk = diskAfter(
      create('/f', 6),
      write(6, 0, 'old'),
      dataSync(6),
      create('/t', 7),
      write(7, 0, 'new'),
      dataSync(7),
      directorySync('/'),
      rename('/t', '/f', 7),
    );
    expect(imagesOf(disk)).toEqual([{ '/f': 'old', '/t': 'new' }, { '/f': 'new' }]);
  });
});

describe('tears', () => {
  const torn = (keepFrom: number, keepTo: number, fill: Exclude<Fate, string>['fill']): Fate => ({
    keepFrom,
    keepTo,
    fill,
  });
  const file = (...events: TraceEvent[]) =>
    diskAfter(create('/f', 7), directorySync('/'), ...events);
  const only = (disk: DiskModel, fate: Fate) => filesIn(disk.image(all(fate)))['/f'];

  test.each([
    ['short', 'ab'],
    ['zeros', 'ab\0\0'],
  ] as const)('the end of a torn write is %s', (fill, expected) => {
    expect(only(file(write(7, 0, 'abcd')), torn(0, 2, fill))).toBe(expected);
  });

  test('garbage behind a tear holds no zeros, and is the same each time', () => {
    const disk = file(write(7, 0, 'abcd'));
    const [first, again] = [0, 1].map(() => only(disk, torn(0, 2, 'garbage')));
    expect(first).toMatch(/^ab[^\0]{2}$/s);
    expect(again).toBe(first);
  });

  test('stale bytes behind a tear are those that stood there before the file was cut', () => {
    const disk = file(
      write(7, 0, 'old bytes'),
      dataSync(7),
      { kind: 'truncate', inode: 7, sizeBytes: 3 },
      dataSync(7),
      write(7, 3, ' new'),
    );
    expect(only(disk, torn(0, 1, 'stale'))).toBe('old byt');
  });

  test('only the end of a write may be on disk', () => {
    expect(only(file(write(7, 0, 'abcd')), torn(2, 4, 'zeros'))).toBe('\0\0cd');
  });

  test('a tear never changes bytes that a sync covers', () => {
    const disk = file(write(7, 0, 'abcd'), dataSync(7), write(7, 2, 'XY'));
    expect(only(disk, torn(0, 1, 'garbage'))).toBe('abXd');
  });
});

describe('write-back that fails', () => {
  test('no later sync covers the bytes, and writing them once more does', () => {
    const disk = diskAfter(
      create('/f', 7),
      directorySync('/'),
      write(7, 0, 'ab'),
      { kind: 'writebackFailed', inode: 7, since: 0 },
      dataSync(7),
    );
    expect(imagesOf(disk)).toEqual([{ '/f': '' }, { '/f': 'ab' }]);
    disk.advance(write(7, 0, 'ab'), 5);
    disk.advance(dataSync(7), 6);
    expect(imagesOf(disk)).toEqual([{ '/f': 'ab' }]);
  });

  test('what is synced later lies on top of it, whatever becomes of it', () => {
    const disk = diskAfter(
      create('/f', 7),
      directorySync('/'),
      write(7, 0, 'abcd'),
      { kind: 'writebackFailed', inode: 7, since: 0 },
      write(7, 1, 'XY'),
      dataSync(7),
    );
    expect(imagesOf(disk)).toEqual([{ '/f': '\0XY' }, { '/f': 'aXYd' }]);
  });
});

describe('the enumeration', () => {
  /** Small traces over two files in one directory. */
  const event = fc.oneof(
    fc
      .record({
        inode: fc.integer({ min: 1, max: 2 }),
        position: fc.nat(6),
        text: fc.constantFrom('x', 'yz', 'abc'),
      })
      .map(({ inode, position, text }) => write(inode, position, text)),
    fc.integer({ min: 1, max: 2 }).map((inode) => dataSync(inode)),
    fc
      .record({ inode: fc.integer({ min: 1, max: 2 }), sizeBytes: fc.nat(4) })
      .map(({ inode, sizeBytes }): TraceEvent => ({ kind: 'truncate', inode, sizeBytes })),
    fc.constant(directorySync('/')),
    fc.constant(rename('/a', '/b', 1)),
  );
  const traces = fc
    .array(event, { maxLength: 9 })
    .map((events) => [create('/a', 1), create('/b', 2), ...events]);

  test('holds the image in which everything is kept, the one in which nothing is, and every prefix', () => {
    fc.assert(
      fc.property(traces, (trace) => {
        const disk = diskAfter(...trace);
        const digests = new Set(
          [...crashImages(disk, Prng.seeded(1), { subsets: 5, tearsAWrite: 2 })].map(imageDigest),
        );
        for (let kept = 0; kept <= disk.pieces.length; kept++)
          expect(digests).toContain(
            imageDigest(disk.image((index) => (index < kept ? 'kept' : 'lost'))),
          );
      }),
    );
  });

  test('comes to every subset of at most twelve pieces, and is the same for the same seed', () => {
    fc.assert(
      fc.property(traces, fc.nat(), (trace, seed) => {
        const disk = diskAfter(...trace);
        const enumerate = () =>
          [...crashImages(disk, Prng.seeded(seed), { subsets: 5, tearsAWrite: 3 })].map(
            imageDigest,
          );
        const digests = enumerate();
        expect(enumerate()).toEqual(digests);
        for (let subset = 0; subset < 2 ** disk.pieces.length; subset++) {
          const image = disk.image((index) => ((subset >>> index) & 1 ? 'kept' : 'lost'));
          expect(digests).toContain(imageDigest(image));
        }
      }),
      { numRuns: 50 },
    );
  });

  test('after a sync of everything one image is left, the one that a process sees', () => {
    fc.assert(
      fc.property(traces, (trace) => {
        const before = diskAfter(...trace);
        const seen = filesIn(before.image(all('kept')));
        const disk = diskAfter(...trace, dataSync(1), dataSync(2), directorySync('/'));
        expect(disk.pieces).toEqual([]);
        expect(imagesOf(disk, 4)).toEqual([seen]);
      }),
    );
  });
});
