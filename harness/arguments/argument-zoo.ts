import { inspect, isDeepStrictEqual } from 'node:util';
import {
  encoded,
  openLog,
  openReader,
  openStore,
  type Store,
  type StoreReader,
  type StoreStats,
  salvage,
} from '../../src/engine/index.ts';
import { imageOf } from '../file-systems/disk-image.ts';
import { MemoryFileSystem } from '../file-systems/memory-file-system.ts';
import type { Prng } from '../prng.ts';
import { ODD_BYTES, ODD_KEYS, type OddBytes } from './odd-bytes.ts';
import { ODD_PATHS, type OptionKind, oddOptions } from './odd-options.ts';

/** A store that is called, the same store that is not, and readers of the first. */
interface Subjects {
  readonly fileSystem: MemoryFileSystem;
  readonly store: Store;
  readonly reader: StoreReader;
  readonly twin: Store;
  readonly twinFileSystem: MemoryFileSystem;
}

/** One call with odd arguments. */
interface OddCall {
  readonly name: string;
  /** Makes the call; what it returns may be a promise. */
  readonly call: (subjects: Subjects) => unknown;
  /** What the twin does when the call may be accepted; undefined where it must be refused. */
  readonly same?: (twin: Store) => unknown;
}

const VALUE = Buffer.from('value');
const any = (value: unknown) => value as never;

/** Every function that takes keys or values, with one odd argument. */
function callsWith({ name, make, bytes }: OddBytes, isKey: boolean): OddCall[] {
  const accepted = (same: (twin: Store, bytes: Buffer) => unknown) =>
    bytes === undefined ? {} : { same: (twin: Store) => same(twin, bytes) };
  const value = (): OddCall[] => [
    {
      name: `put with ${name} as the value`,
      call: ({ store }) => store.put('key', any(make())),
      ...accepted((twin, put) => twin.put('key', put)),
    },
    {
      name: `putDurable with ${name} as the value`,
      call: ({ store }) => store.putDurable('key', any(make())),
      ...accepted((twin, put) => twin.putDurable('key', put)),
    },
    {
      name: `batch with ${name} as the last value`,
      call: ({ store }) =>
        store.batch([
          { type: 'put', key: 'new', value: VALUE },
          { type: 'del', key: 'key 1' },
          { type: 'put', key: 'key', value: any(make()) },
        ]),
      ...accepted((twin, put) =>
        twin.batch([
          { type: 'put', key: 'new', value: VALUE },
          { type: 'del', key: 'key 1' },
          { type: 'put', key: 'key', value: put },
        ]),
      ),
    },
  ];
  const key = (): OddCall[] => [
    {
      name: `put with ${name} as the key`,
      call: ({ store }) => store.put(any(make()), VALUE),
      ...accepted((twin, put) => twin.put(put, VALUE)),
    },
    {
      name: `delete of ${name}`,
      call: ({ store }) => store.delete(any(make())),
      ...accepted((twin, gone) => twin.delete(gone)),
    },
    {
      name: `batch with ${name} as the last key`,
      call: ({ store }) =>
        store.batch([
          { type: 'put', key: 'new', value: VALUE },
          { type: 'del', key: any(make()) },
        ]),
      ...accepted((twin, gone) =>
        twin.batch([
          { type: 'put', key: 'new', value: VALUE },
          { type: 'del', key: gone },
        ]),
      ),
    },
    ...(['get', 'has', 'refOf', 'getAsync'] as const).map((method) => ({
      name: `${method} of ${name}`,
      call: ({ store, reader }: Subjects) => [store, reader].map((one) => one[method](any(make()))),
      ...accepted(() => {}),
    })),
    {
      name: `getMany of ${name}`,
      call: ({ store }) => store.getMany(['key 1', any(make())]),
      ...accepted(() => {}),
    },
  ];
  return isKey ? key() : value();
}

/** Every function that takes options or a path. None of these may be accepted. */
function refusedCalls(): OddCall[] {
  const opening: Record<string, OptionKind> = {
    ...{ name: 'text', descriptorPoolSize: 'integer', open: 'opening' },
    ...{ onOpenProgress: 'callback', probe: 'probe', fileSystem: 'fileSystem' },
  };
  const writing: Record<string, OptionKind> = {
    ...{ ...opening, segmentBytes: 'integer', recovery: 'recovery', acceptAmbiguousTail: 'flag' },
  };
  type Caller = (subjects: Subjects, options: never) => unknown;
  const withOptions = (name: string, kinds: Record<string, OptionKind>, call: Caller): OddCall[] =>
    oddOptions(kinds).map(([what, options]) => ({
      name: `${name} with ${what}`,
      call: (subjects) => call(subjects, any(options)),
    }));
  const withPaths = (name: string, call: (subjects: Subjects, path: never) => unknown): OddCall[] =>
    ODD_PATHS.map(([what, path]) => ({
      name: `${name} with ${what}`,
      call: (subjects) => call(subjects, any(path)),
    }));
  // The file system in memory, unless it is what is odd.
  const onDisk = ({ fileSystem }: Subjects, options: object) =>
    typeof options === 'object' && options !== null && !Array.isArray(options)
      ? any({ fileSystem, ...options })
      : any(options);
  return [
    ...withOptions('openStore', { ...writing, compaction: 'compaction' }, (on, options) =>
      openStore('/new', onDisk(on, options)),
    ),
    ...withOptions('openLog', writing, (on, options) => openLog('/new', onDisk(on, options))),
    ...withOptions('openReader', { ...opening, keys: 'flag' }, (on, options) =>
      openReader('/store', onDisk(on, options)),
    ),
    ...withOptions(
      'automatic compaction',
      { deadRatio: 'share', minBytes: 'bytes' },
      (on, options) => openStore('/new', onDisk(on, { compaction: { auto: options } })),
    ),
    ...withOptions('compact', { deadRatio: 'share', signal: 'signal' }, ({ store }, options) =>
      store.compact(options),
    ),
    ...withOptions('compactTo', { signal: 'signal' }, ({ store }, options) =>
      store.compactTo('/target', options),
    ),
    ...withOptions(
      'verify',
      { bytesPerSecond: 'rate', onProgress: 'callback', signal: 'signal' },
      ({ store }, options) => store.verify(options),
    ),
    ...withOptions(
      'verify of a reader',
      { bytesPerSecond: 'rate', onProgress: 'callback', signal: 'signal' },
      ({ reader }, options) => reader.verify(options),
    ),
    ...withOptions(
      'exportJsonl',
      { onProgress: 'callback', signal: 'signal' },
      ({ store }, options) => store.exportJsonl('/lines', options),
    ),
    ...withOptions(
      'follow',
      { fromTxid: 'integer', pollIntervalMs: 'milliseconds', signal: 'signal' },
      ({ reader }, options) => reader.follow(options),
    ),
    ...withOptions('encoded', { key: 'encoding', value: 'encoding' }, ({ store }, options) =>
      encoded(store, options),
    ),
    ...withPaths('openStore', ({ fileSystem }, path) => openStore(path, { fileSystem })),
    ...withPaths('openLog', ({ fileSystem }, path) => openLog(path, { fileSystem })),
    ...withPaths('openReader', ({ fileSystem }, path) => openReader(path, { fileSystem })),
    ...withPaths('compactTo', ({ store }, path) => store.compactTo(path)),
    ...withPaths('backup', ({ store }, path) => store.backup(path)),
    ...withPaths('exportJsonl', ({ store }, path) => store.exportJsonl(path)),
    ...withPaths('importJsonl', ({ store }, path) => store.importJsonl(path)),
    ...withPaths('salvage from', ({ fileSystem }, path) => salvage(path, '/to', { fileSystem })),
    ...withPaths('salvage into', ({ fileSystem }, path) => salvage('/store', path, { fileSystem })),
    ...[null, 5, {}, 'text', [null], [{ type: 'put', key: 'a' }], [{ type: 'get', key: 'a' }]].map(
      (operations) => ({
        name: `batch of ${JSON.stringify(operations)}`,
        call: ({ store }: Subjects) => store.batch(any(operations)),
      }),
    ),
    ...[null, 5, {}, 'text'].map((keys) => ({
      name: `getMany of ${JSON.stringify(keys)}`,
      call: ({ store }: Subjects) => store.getMany(any(keys)),
    })),
  ];
}

/** All of them, some hundreds. */
export const ODD_CALLS: readonly OddCall[] = [
  ...ODD_KEYS.flatMap((odd) => callsWith(odd, true)),
  ...ODD_BYTES.flatMap((odd) => callsWith(odd, false)),
  ...refusedCalls(),
];

async function openSubjects(prng: Prng): Promise<Subjects> {
  const [fileSystem, twinFileSystem] = [new MemoryFileSystem(), new MemoryFileSystem()];
  const options = { segmentBytes: 300 + prng.below(500) };
  const store = await openStore('/store', { ...options, fileSystem });
  const twin = await openStore('/store', { ...options, fileSystem: twinFileSystem });
  for (const one of [store, twin]) {
    for (let index = 0; index < 8; index++) one.put(`key ${index}`, `value ${index}`);
    await one.sealsWritten();
  }
  const reader = await openReader('/store', { fileSystem });
  return { fileSystem, store, reader, twin, twinFileSystem };
}

/** What a refused call may not change. */
interface Seen {
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly stats: StoreStats;
  readonly end: Store['end'];
}

/**
 * Makes so many odd calls on one store. A call that is refused, which it must be with a `TypeError`
 * or a `RangeError`, changes nothing on disk and in memory, and the store goes on as its twin does,
 * which never got the call. Returns how many were refused and accepted; throws what is wrong.
 */
export async function zooRound(
  prng: Prng,
  calls: readonly OddCall[],
): Promise<{ refused: number; accepted: number }> {
  const subjects = await openSubjects(prng);
  const { fileSystem, store, reader, twin, twinFileSystem } = subjects;
  const counts = { refused: 0, accepted: 0 };
  const seen = (): Seen => ({
    files: imageOf(fileSystem).files,
    stats: store.stats(),
    end: store.end,
  });
  const logOf = (disk: MemoryFileSystem) =>
    [...imageOf(disk).files].filter(([path]) => path.endsWith('.dwal'));
  for (const { name, call, same } of calls) {
    const before = seen();
    const failure = await failureOf(() => call(subjects));
    if (failure === undefined) {
      if (same === undefined) throw new Error(`${name} was accepted`);
      counts.accepted++;
      await same(twin);
    } else {
      if (!(failure instanceof TypeError || failure instanceof RangeError) || same !== undefined)
        throw new Error(`${name} was refused with ${failure}`, { cause: failure });
      counts.refused++;
      const after = seen();
      // A read that was refused is no read; the descriptors of the pool stay as they are, too.
      if (!isDeepStrictEqual(before, after))
        throw new Error(`${name} was refused, and changed ${changesOf(before, after)}`);
    }
    const after = `key ${prng.below(10)}`;
    for (const one of [store, twin]) {
      one.batch([{ type: 'put', key: after, value: name }]);
      // Nothing may still be going on when the next call is watched.
      await one.sealsWritten();
    }
    if (!isDeepStrictEqual(logOf(fileSystem), logOf(twinFileSystem)))
      throw new Error(`after ${name} the store goes on in another way than its twin`);
  }
  await reader.close();
  await store.close();
  await twin.close();
  const [again, twinAgain] = await Promise.all(
    [fileSystem, twinFileSystem].map((disk) => openReader('/store', { fileSystem: disk })),
  );
  const pairsOf = (one: StoreReader | undefined) =>
    [...(one?.entries() ?? [])].map(([key, value]) => [String(key), String(value)]).toSorted();
  if (!isDeepStrictEqual(pairsOf(again), pairsOf(twinAgain)))
    throw new Error('after reopening the store holds something else than its twin');
  await again?.close();
  await twinAgain?.close();
  if (fileSystem.openDescriptorCount > 0) throw new Error('descriptors are left open');
  return counts;
}

/** Names what differs between two states of a store: files, fields of the statistics, the end. */
function changesOf(before: Seen, after: Seen): string {
  const paths = new Set([...before.files.keys(), ...after.files.keys()]);
  const files = [...paths].filter(
    (path) => !isDeepStrictEqual(before.files.get(path), after.files.get(path)),
  );
  const fields = Object.entries(after.stats)
    .filter(([field, value]) => !isDeepStrictEqual(Reflect.get(before.stats, field), value))
    .map(([field, value]) => {
      const was = inspect(Reflect.get(before.stats, field), { breakLength: Infinity });
      return `${field} from ${was} to ${inspect(value, { breakLength: Infinity })}`;
    });
  const end = isDeepStrictEqual(before.end, after.end) ? [] : ['the end of the log'];
  return [...files, ...fields, ...end].join(', ');
}

/** What the call throws, or a promise that it returns rejects with; undefined for neither. */
async function failureOf(call: () => unknown): Promise<unknown> {
  try {
    await Promise.all([await call()].flat());
    return undefined;
  } catch (error) {
    return error ?? new Error('nothing was thrown, literally');
  }
}
