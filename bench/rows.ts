import fs from 'node:fs';
import { join } from 'node:path';
import { type BatchOperation, openReader, openStore, type Store } from '../src/engine/index.ts';
import { interleave, type Measured, median, ratios } from './measure.ts';

const KEY_BYTES = 16;
const VALUE_BYTES = 100;
/** Of one Put with such a key and value. */
const FRAME_BYTES = 28 + KEY_BYTES + VALUE_BYTES;
const CALLS = 100_000;

export interface Row {
  readonly name: string;
  /** Nanoseconds a call. */
  readonly roundsNs: readonly number[];
  /** Median over the rounds of this row's time over its floor's in the same round. */
  readonly ratio?: number;
  readonly target?: string;
}

/** A get of a random key against a `readSync` of the same bytes at the same places. */
export async function runGetRows(directory: string, keyCount: number, rounds: number): Promise<Row[]> {
  const store = await openStore(directory);
  try {
    const key = Buffer.alloc(KEY_BYTES);
    const value = makeValue(0);
    const offsets = new Float64Array(keyCount);
    const segments = new Uint32Array(keyCount);
    for (let index = 0; index < keyCount; index++) {
      const ref = store.put(formKey(key, index), value);
      offsets[index] = ref.offset;
      segments[index] = ref.segmentId;
    }
    await store.sync();
    const order = shuffledIndexes(keyCount);
    const descriptors = openSegments(directory);
    const buffer = Buffer.alloc(FRAME_BYTES);
    try {
      // Both sides form the key, so that only the store's work differs; it lies in the cache, as a key does that the
      // caller has just made.
      const [floor, get] = await interleave(
        [
          {
            name: `fs.readSync of ${FRAME_BYTES} bytes`,
            run: (count) => {
              for (let call = 0; call < count; call++) {
                const index = order[call % keyCount] as number;
                formKey(key, index);
                const descriptor = descriptors[segments[index] as number] as number;
                fs.readSync(descriptor, buffer, 0, FRAME_BYTES, offsets[index] as number);
              }
            },
          },
          {
            name: `get, ${keyCount} keys`,
            run: (count) => {
              for (let call = 0; call < count; call++) {
                const index = order[call % keyCount] as number;
                if (store.get(formKey(key, index)) === undefined) throw new Error('lost');
              }
            },
          },
        ],
        CALLS,
        rounds,
      );
      return withRatio(floor as Measured, [[get as Measured, keyCount <= 100_000 ? '1.6' : '1.8']]);
    } finally {
      for (const descriptor of descriptors) if (descriptor !== undefined) fs.closeSync(descriptor);
    }
  } finally {
    await store.close();
  }
}

/** A put of a new value against a `writeSync` of a frame's bytes at growing positions. */
export async function runPutRows(directory: string, rounds: number): Promise<Row[]> {
  const store = await openStore(directory);
  const floorPath = join(directory, 'floor');
  const descriptor = fs.openSync(floorPath, 'w+');
  try {
    const key = Buffer.alloc(KEY_BYTES);
    const frame = Buffer.alloc(FRAME_BYTES, 7);
    let version = 0;
    let position = 0;
    const [floor, put, batch] = await interleave(
      [
        {
          name: `fs.writeSync of ${FRAME_BYTES} bytes`,
          run: (count) => {
            for (let call = 0; call < count; call++) {
              formKey(key, call);
              fs.writeSync(descriptor, frame, 0, FRAME_BYTES, position);
              position += FRAME_BYTES;
            }
          },
        },
        {
          name: 'put',
          run: (count) => {
            const value = makeValue(++version);
            for (let call = 0; call < count; call++) store.put(formKey(key, call), value);
          },
        },
        {
          name: 'batch of 1,000, a put',
          run: (count) => {
            const value = makeValue(++version);
            for (let call = 0; call < count; call += 1000) {
              const operations: BatchOperation[] = [];
              for (let index = call; index < call + 1000; index++) {
                operations.push({ type: 'put', key: formKey(Buffer.allocUnsafe(KEY_BYTES), index), value });
              }
              store.batch(operations);
            }
          },
        },
      ],
      CALLS,
      rounds,
    );
    return [
      ...withRatio(floor as Measured, [[put as Measured, '1.5']]),
      { name: (batch as Measured).name, roundsNs: (batch as Measured).roundsNs, target: '600 ns' },
    ];
  } finally {
    fs.closeSync(descriptor);
    await store.close();
  }
}

/** A durable put alone against append and `fdatasync`, and 64 of them waiting together. */
export async function runDurableRows(directory: string, rounds: number): Promise<Row[]> {
  const store = await openStore(directory);
  const descriptor = fs.openSync(join(directory, 'floor'), 'w+');
  const frame = Buffer.alloc(FRAME_BYTES, 7);
  let position = 0;
  let version = 0;
  try {
    const [floor, alone, together] = await interleave(
      [
        {
          name: 'writeSync and fdatasync',
          run: async (count) => {
            for (let call = 0; call < count; call++) {
              fs.writeSync(descriptor, frame, 0, FRAME_BYTES, position);
              position += FRAME_BYTES;
              await new Promise<void>((resolve, reject) => {
                fs.fdatasync(descriptor, (error) => (error === null ? resolve() : reject(error)));
              });
            }
          },
        },
        {
          name: 'putDurable, alone',
          run: async (count) => {
            for (let call = 0; call < count; call++)
              await store.putDurable(`durable-${call}`, makeValue(++version));
          },
        },
        {
          name: 'putDurable, 64 waiting, each',
          run: (count) => putTogether(store, count, () => makeValue(++version)),
        },
      ],
      DURABLE_CALLS,
      rounds,
    );
    return [
      ...withRatio(floor as Measured, [[alone as Measured, '1.2']]),
      { name: (together as Measured).name, roundsNs: (together as Measured).roundsNs, target: '5000 ns' },
    ];
  } finally {
    fs.closeSync(descriptor);
    await store.close();
  }
}

const DURABLE_CALLS = 640;

async function putTogether(store: Store, count: number, value: () => Buffer): Promise<void> {
  const each = async (writer: number) => {
    for (let call = 0; call < count / 64; call++)
      await store.putDurable(`durable-${writer}-${call}`, value());
  };
  await Promise.all(Array.from({ length: 64 }, (_, writer) => each(writer)));
}

/** Opening a million records without seal files, and scanning them; a record. */
export async function runOpenRows(directory: string, rounds: number): Promise<Row[]> {
  const records = 1_000_000;
  const writer = await openStore(directory);
  const value = makeValue(1);
  const key = Buffer.alloc(KEY_BYTES);
  for (let index = 0; index < records; index++) writer.put(formKey(key, index), value);
  await writer.close();
  const [open, scan] = await interleave(
    [
      {
        name: 'open, 1M records, a record',
        run: async () => {
          const store = await openStore(directory);
          if (store.size !== records) throw new Error(`found ${store.size} keys`);
          await store.close();
        },
      },
      {
        name: 'scan, a record',
        run: async () => {
          const reader = await openReader(directory);
          let seen = 0;
          for (const _ of reader.scan()) seen++;
          if (seen !== records) throw new Error(`saw ${seen} records`);
          await reader.close();
        },
      },
    ],
    records,
    rounds,
  );
  return [
    { name: (open as Measured).name, roundsNs: (open as Measured).roundsNs, target: '400 ns' },
    { name: (scan as Measured).name, roundsNs: (scan as Measured).roundsNs, target: '500 ns' },
  ];
}

function withRatio(floor: Measured, rows: readonly (readonly [Measured, string])[]): Row[] {
  return [
    { name: floor.name, roundsNs: floor.roundsNs },
    ...rows.map(([measured, target]) => ({
      name: measured.name,
      roundsNs: measured.roundsNs,
      ratio: median(ratios(measured, floor)),
      target,
    })),
  ];
}

/** Writes `k00…0123` into a buffer of `KEY_BYTES`. */
function formKey(key: Buffer, index: number): Buffer {
  key[0] = 0x6b;
  let rest = index;
  for (let at = KEY_BYTES - 1; at > 0; at--) {
    key[at] = 0x30 + (rest % 10);
    rest = Math.floor(rest / 10);
  }
  return key;
}

function makeValue(version: number): Buffer {
  return Buffer.alloc(VALUE_BYTES, `value ${version} `);
}

/** A fixed permutation: reads jump about the log as a real load does. */
function shuffledIndexes(count: number): Uint32Array {
  const indexes = Uint32Array.from({ length: count }, (_, index) => index);
  let state = 12_345;
  for (let index = count - 1; index > 0; index--) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    const other = state % (index + 1);
    [indexes[index], indexes[other]] = [indexes[other] as number, indexes[index] as number];
  }
  return indexes;
}

function openSegments(directory: string): (number | undefined)[] {
  const descriptors: (number | undefined)[] = [];
  for (const name of fs.readdirSync(directory)) {
    if (name.endsWith('.dwal'))
      descriptors[Number.parseInt(name, 10)] = fs.openSync(join(directory, name), 'r');
  }
  return descriptors;
}
