import fs from 'node:fs';
import { join } from 'node:path';
import { openStore } from '../../src/engine/index.ts';
import type { ContenderSpec } from '../measuring/contender.ts';
import { closeAll, openSegments, readFloor, writeFloor } from '../measuring/floors.ts';
import type { Group, Work } from '../measuring/group.ts';
import { formKey, KEY_BYTES, makeValue, shuffledIndexes } from '../measuring/workload.ts';
import { type Filled, fillTimed } from './filling.ts';

/** Gets, and puts, of one round. */
export const CALLS = 100_000;

export interface GrowthInput {
  readonly phase: 'fill' | 'open';
  readonly directory: string;
  readonly keys: number;
}

export type FillDetails = Omit<Filled, 'places'>;

export interface OpenDetails {
  /** Bytes a key of a process that has opened the store, over those before. */
  readonly keydirBytes: number;
  readonly rssBytes: number;
  readonly heapBytes: number;
}

/** The process that fills a store, reads and writes it; or one that opens what that left behind. */
export function growthContender(input: GrowthInput): ContenderSpec {
  return { label: `${input.phase} ${input.keys}`, moduleUrl: import.meta.url, input };
}

/** Called in the process. */
export function setUp(
  input: GrowthInput,
): Promise<Group & { readonly details: FillDetails | OpenDetails }> {
  return input.phase === 'fill' ? setUpFill(input) : setUpOpen(input);
}

async function setUpFill({
  directory,
  keys,
}: GrowthInput): Promise<Group & { details: FillDetails }> {
  const storeDirectory = join(directory, 'store');
  const store = await openStore(storeDirectory);
  const { places, ...details } = await fillTimed(store, keys);
  const order = shuffledIndexes(keys);
  const descriptors = openSegments(storeDirectory);
  const written = fs.openSync(join(directory, 'floor'), 'w+');
  const key = Buffer.alloc(KEY_BYTES);
  let version = 0;
  const get: Work = {
    id: 'get',
    name: 'get',
    unit: 'ns',
    calls: CALLS,
    floorId: 'read',
    run() {
      for (let call = 0; call < CALLS; call++) {
        if (store.get(formKey(key, order[call % keys] as number)) === undefined)
          throw new Error('a key is lost');
      }
    },
  };
  const put: Work = {
    id: 'put',
    name: 'put of a known key',
    unit: 'ns',
    calls: CALLS,
    floorId: 'write',
    run() {
      const value = makeValue(++version);
      for (let call = 0; call < CALLS; call++)
        store.put(formKey(key, order[call % keys] as number), value);
    },
  };
  return {
    details,
    works: [
      readFloor('read', CALLS, order, places, descriptors),
      get,
      writeFloor('write', CALLS, written),
      put,
    ],
    async finish() {
      closeAll([...descriptors, written]);
      await store.close();
    },
  };
}

async function setUpOpen({
  directory,
  keys,
}: GrowthInput): Promise<Group & { details: OpenDetails }> {
  const storeDirectory = join(directory, 'store');
  const before = memoryNow();
  const store = await openStore(storeDirectory);
  const after = memoryNow();
  const details = {
    keydirBytes: store.stats().keydirBytes / keys,
    rssBytes: (after.rss - before.rss) / keys,
    heapBytes: Math.max(0, after.heapUsed - before.heapUsed) / keys,
  };
  await store.close();
  const open: Work = {
    id: 'open',
    name: 'open',
    unit: 'ns',
    calls: 1,
    async run() {
      const startNs = process.hrtime.bigint();
      const opened = await openStore(storeDirectory);
      const elapsedNs = Number(process.hrtime.bigint() - startNs);
      if (opened.size !== keys) throw new Error(`found ${opened.size} keys of ${keys}`);
      await opened.close();
      return elapsedNs;
    },
  };
  return { details, works: [open], finish: async () => {} };
}

/** Needs `--expose-gc`. */
function memoryNow(): NodeJS.MemoryUsage {
  (globalThis.gc as () => void)();
  return process.memoryUsage();
}
