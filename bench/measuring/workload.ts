import type { Store } from '../../src/engine/index.ts';

export const KEY_BYTES = 16;
export const VALUE_BYTES = 100;
/** The size of one Put with such a key and value. */
export const FRAME_BYTES = 28 + KEY_BYTES + VALUE_BYTES;
export const USER_BYTES = KEY_BYTES + VALUE_BYTES;

/** Writes `k00…0123` into a buffer of `KEY_BYTES`. */
export function formKey(key: Buffer, index: number): Buffer {
  key[0] = 0x6b;
  let rest = index;
  for (let at = KEY_BYTES - 1; at > 0; at--) {
    key[at] = 0x30 + (rest % 10);
    rest = Math.floor(rest / 10);
  }
  return key;
}

/** Another value for every version: some stores skip the write of a value that does not change. */
export function makeValue(version: number): Buffer {
  return Buffer.alloc(VALUE_BYTES, `value ${version} `);
}

/** A fixed permutation: reads jump about the log as a real load does. */
export function shuffledIndexes(count: number): Uint32Array {
  const indexes = Uint32Array.from({ length: count }, (_, index) => index);
  let state = 12_345;
  for (let index = count - 1; index > 0; index--) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    const other = state % (index + 1);
    [indexes[index], indexes[other]] = [indexes[other] as number, indexes[index] as number];
  }
  return indexes;
}

/** Where the frame of each key lies. */
export interface Places {
  readonly segments: Uint32Array;
  readonly offsets: Float64Array;
}

/**
 * Puts keys 0 to `count - 1`, and turns to the event loop now and then, as a program does: sealing
 * goes on there.
 */
export async function fill(store: Store, count: number): Promise<Places> {
  const key = Buffer.alloc(KEY_BYTES);
  const value = makeValue(0);
  const segments = new Uint32Array(count);
  const offsets = new Float64Array(count);
  for (let index = 0; index < count; index++) {
    const ref = store.put(formKey(key, index), value);
    segments[index] = ref.segmentId;
    offsets[index] = ref.offset;
    if (index % 10_000 === 9_999) await turn();
  }
  await store.sync();
  return { segments, offsets };
}

export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
