import { monitorEventLoopDelay } from 'node:perf_hooks';
import { keyChooser } from '../../harness/key-distribution.ts';
import { Prng } from '../../harness/prng.ts';
import { SyntheticValues } from '../../harness/synthetic-values.ts';
import type { Store } from '../../src/engine/index.ts';
import { turn } from '../measuring/workload.ts';
import { type Latencies, latenciesOf, newHistogram, recordMs } from './latencies.ts';

/** The soak's values and its share of reads, on keys that are all there and evenly chosen. */
const SEED = 1;
const GETS_IN_1000 = 333;
/**
 * A second of a program that serves others: operations come by the clock, whether or not the ones
 * before are done.
 */
const OPERATIONS_PER_SECOND = 12_000;
/** Not awaited by those who put: they are told of the crash of a process, not of a power cut. */
const SYNC_INTERVAL_MS = 250;
/** Puts between two turns of the event loop while nobody measures. */
const PUTS_PER_TURN = 50;

/** The latencies of one kind of operation. */
export interface OperationLatencies {
  /** The call alone. */
  readonly call: Latencies;
  /**
   * The time from when the operation was due to its end. It includes the turns of the event loop
   * that the operation waited for.
   */
  readonly wait: Latencies;
}

export interface LoadMeasures {
  readonly put: OperationLatencies;
  readonly get: OperationLatencies;
  /** How late a timer of one millisecond was. */
  readonly loopDelay: Latencies;
  /** Bytes of the frames that the load put. */
  readonly appendedBytes: number;
}

/** Overwrites a set of keys over and over, and reads some of them. */
export class OverwriteLoad {
  private readonly store: Store;
  private readonly values: SyntheticValues;
  private readonly keyCount: number;
  private readonly versions: Uint32Array;
  private readonly prng = Prng.seeded(SEED);
  private readonly nextKey: () => number;

  constructor(store: Store, keyCount: number) {
    this.store = store;
    this.keyCount = keyCount;
    this.values = new SyntheticValues(SEED, keyCount);
    this.versions = new Uint32Array(keyCount);
    this.nextKey = keyChooser({ kind: 'uniform' }, keyCount, this.prng);
  }

  /**
   * Puts every key once, then as many again as make `passes` in all; waits for a sync, and its
   * back-pressure, now and then.
   */
  async fill(passes: number): Promise<void> {
    for (let count = 0; count < this.keyCount * passes; count++) {
      const keyNumber = count < this.keyCount ? count : this.nextKey();
      this.store.put(this.values.keyOf(keyNumber), this.nextValueOf(keyNumber));
      if (count % PUTS_PER_TURN === 0) await turn();
      if (count % (PUTS_PER_TURN * 100) === 0) await this.store.sync();
    }
    await this.store.sync();
  }

  /** `onSecond` is called about once a second. */
  async measure(seconds: number, onSecond: () => void): Promise<LoadMeasures> {
    const put = { call: newHistogram(), wait: newHistogram() };
    const get = { call: newHistogram(), wait: newHistogram() };
    const delay = monitorEventLoopDelay({ resolution: 1 });
    const startMs = performance.now();
    const total = Math.round(seconds * OPERATIONS_PER_SECOND);
    let appendedBytes = 0;
    let nextSyncMs = startMs + SYNC_INTERVAL_MS;
    let nextSecondMs = startMs;
    let failure: unknown;
    delay.enable();
    for (let done = 0; done < total; ) {
      const nowMs = performance.now();
      const due = Math.min(total, ((nowMs - startMs) / 1000) * OPERATIONS_PER_SECOND);
      for (; done < due; done++) {
        const dueMs = startMs + (done / OPERATIONS_PER_SECOND) * 1000;
        const keyNumber = this.nextKey();
        const isGet = this.prng.below(1000) < GETS_IN_1000;
        const key = this.values.keyOf(keyNumber);
        const value = isGet ? undefined : this.nextValueOf(keyNumber);
        const callMs = performance.now();
        if (value === undefined) this.get(key);
        else appendedBytes += this.store.put(key, value).byteLength;
        const endMs = performance.now();
        const { call, wait } = isGet ? get : put;
        recordMs(call, endMs - callMs);
        recordMs(wait, endMs - dueMs);
      }
      if (nowMs >= nextSyncMs) {
        nextSyncMs = nowMs + SYNC_INTERVAL_MS;
        this.store.sync().catch((error) => {
          failure ??= error;
        });
      }
      if (nowMs >= nextSecondMs) {
        nextSecondMs = nowMs + 1000;
        onSecond();
      }
      if (failure !== undefined) throw failure;
      await turn();
    }
    delay.disable();
    return {
      put: { call: latenciesOf(put.call), wait: latenciesOf(put.wait) },
      get: { call: latenciesOf(get.call), wait: latenciesOf(get.wait) },
      loopDelay: latenciesOf(delay),
      appendedBytes,
    };
  }

  private nextValueOf(keyNumber: number): Buffer {
    const version = (this.versions[keyNumber] as number) + 1;
    this.versions[keyNumber] = version;
    return this.values.valueOf(keyNumber, version);
  }

  private get(key: Buffer): void {
    if (this.store.get(key) === undefined) throw new Error(`${key} is lost`);
  }
}
