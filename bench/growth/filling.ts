import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Store } from '../../src/engine/index.ts';
import { formKey, KEY_BYTES, makeValue, type Places, turn } from '../measuring/workload.ts';

/**
 * Puts between two turns of the event loop: about a millisecond, so that its delay shows stalls and
 * not this loop.
 */
const PUTS_PER_TURN = 500;
/** Only puts as slow as this are looked at more closely. */
const SLOW_MS = 0.5;

export interface Filled {
  readonly places: Places;
  /** The time of one put, and of the two clock readings around it. */
  readonly insertNs: number;
  /** The longest put that waited for no sync. It shows the keydir growing, or the machine. */
  readonly longestPutNs: number;
  /** The longest of all puts. */
  readonly longestWaitNs: number;
  readonly longestLoopDelayNs: number;
}

/** Puts keys 0 to `count - 1`, timing each put. */
export async function fillTimed(store: Store, count: number): Promise<Filled> {
  const key = Buffer.alloc(KEY_BYTES);
  const value = makeValue(0);
  const places = { segments: new Uint32Array(count), offsets: new Float64Array(count) };
  const delay = monitorEventLoopDelay({ resolution: 1 });
  let longestPutMs = 0;
  let longestWaitMs = 0;
  let durable = store.durableEnd.nextTxid;
  let segment = store.end.segmentId;
  let putMs = 0;
  delay.enable();
  for (let index = 0; index < count; index++) {
    formKey(key, index);
    const startMs = performance.now();
    const ref = store.put(key, value);
    const elapsedMs = performance.now() - startMs;
    putMs += elapsedMs;
    places.segments[index] = ref.segmentId;
    places.offsets[index] = ref.offset;
    if (elapsedMs > SLOW_MS) {
      longestWaitMs = Math.max(longestWaitMs, elapsedMs);
      // Within a turn only a put itself can move the durable end, by waiting for a sync.
      const waited = store.durableEnd.nextTxid !== durable || ref.segmentId !== segment;
      if (!waited) longestPutMs = Math.max(longestPutMs, elapsedMs);
    }
    segment = ref.segmentId;
    if (index % PUTS_PER_TURN === PUTS_PER_TURN - 1) {
      await turn();
      durable = store.durableEnd.nextTxid;
    }
  }
  delay.disable();
  await store.sync();
  return {
    places,
    insertNs: (putMs * 1e6) / count,
    longestPutNs: longestPutMs * 1e6,
    longestWaitNs: longestWaitMs * 1e6,
    longestLoopDelayNs: delay.max,
  };
}
