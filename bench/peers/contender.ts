import { join } from 'node:path';
import type { ContenderSpec } from '../measuring/contender.ts';
import { type Group, scaled, type Work } from '../measuring/group.ts';
import { formKey, KEY_BYTES, makeValue, shuffledIndexes } from '../measuring/workload.ts';
import { betterSqlite3Peer } from './better-sqlite3.ts';
import { classicLevelPeer } from './classic-level.ts';
import { lmdbPeer } from './lmdb.ts';
import type { Guarantee, Pair, Peer, PeerStore } from './peer.ts';
import { tidemarkPeer } from './tidemark.ts';

const PEERS: Readonly<Record<string, (packages: string) => Peer | Promise<Peer>>> = {
  tidemark: tidemarkPeer,
  lmdb: lmdbPeer,
  'classic-level': classicLevelPeer,
  'better-sqlite3': betterSqlite3Peer,
};
export const PEER_NAMES = Object.keys(PEERS);

const KEYS = 100_000;
const GETS = 100_000;
const PUTS = 10_000;
const BATCH = 1000;
const SYNCS_ALONE = 100;
const SYNCS_TOGETHER = 640;
const WAITING = 64;

interface PeerInput {
  readonly peer: string;
  readonly packages: string;
  readonly directory: string;
  readonly scale: number;
}

export interface PeerDetails {
  readonly name: string;
  readonly version: string;
  readonly settings: Readonly<Record<Guarantee, string>>;
}

/** A process that measures one of the stores. */
export function peerContender(input: PeerInput): ContenderSpec {
  return { label: input.peer, moduleUrl: import.meta.url, input };
}

/** Called in the process. */
export async function setUp(input: PeerInput): Promise<Group & { readonly details: PeerDetails }> {
  const peer = await (PEERS[input.peer] as (packages: string) => Peer | Promise<Peer>)(
    input.packages,
  );
  const at = (name: string) => join(input.directory, name);
  const keys = scaled(KEYS, input.scale);
  const filled = await peer.open(at('append'), 'append');
  await fill(filled, keys);
  // Opened again and again, and never at the same time.
  const reopened = await peer.open(at('reopened'), 'append');
  await fill(reopened, keys);
  await reopened.close();
  const durable = await peer.open(at('sync'), 'sync');
  const { name, version, settings } = peer;
  return {
    details: { name, version, settings },
    works: [
      ...reads(filled, keys, input.scale),
      ...writes(filled, keys, input.scale),
      ...durableWrites(durable, input.scale),
      openAndGet(peer, at('reopened')),
    ],
    async finish() {
      await filled.close();
      await durable.close();
    },
  };
}

async function fill(store: PeerStore, count: number): Promise<void> {
  for (let from = 0; from < count; from += BATCH)
    await store.batch(pairsFrom(from, BATCH, makeValue(0)));
}

function pairsFrom(from: number, count: number, value: Buffer): Pair[] {
  return Array.from({ length: count }, (_, index) => [
    formKey(Buffer.alloc(KEY_BYTES), from + index),
    value,
  ]);
}

function reads(store: PeerStore, keys: number, scale: number): Work[] {
  const calls = scaled(GETS, scale);
  const order = shuffledIndexes(keys);
  const key = Buffer.alloc(KEY_BYTES);
  return [
    {
      id: 'get',
      name: 'get, 100k keys',
      unit: 'ns',
      calls,
      run() {
        for (let call = 0; call < calls; call++) {
          if (store.get(formKey(key, order[call % keys] as number)) === undefined)
            throw new Error('a key is lost');
        }
      },
    },
    {
      id: 'scan',
      name: 'read all pairs, each',
      unit: 'ns',
      calls: keys,
      async run() {
        const count = await store.scan();
        if (count < keys) throw new Error(`${count} pairs of ${keys}`);
      },
    },
  ];
}

function writes(store: PeerStore, keys: number, scale: number): Work[] {
  const puts = scaled(PUTS, scale);
  const key = Buffer.alloc(KEY_BYTES);
  let version = 0;
  return [
    {
      id: 'put',
      name: 'put, survives a process crash',
      unit: 'ns',
      calls: puts,
      async run() {
        const value = makeValue(++version);
        for (let call = 0; call < puts; call++) {
          // Some answer at once, and must not be made to wait for a turn of the event loop.
          const answer = store.put(formKey(key, (call * 7919) % keys), value);
          if (answer instanceof Promise) await answer;
        }
      },
    },
    {
      id: 'batch',
      name: 'batch of 1,000, each put; survives a process crash',
      unit: 'ns',
      calls: puts,
      async run() {
        const value = makeValue(++version);
        for (let from = 0; from < puts; from += BATCH)
          await store.batch(pairsFrom(from % keys, Math.min(BATCH, puts), value));
      },
    },
  ];
}

function durableWrites(store: PeerStore, scale: number): Work[] {
  const alone = scaled(SYNCS_ALONE, scale);
  const turns = Math.max(1, Math.round((SYNCS_TOGETHER * scale) / WAITING));
  let version = 0;
  const writer = async (name: number) => {
    for (let turn = 0; turn < turns; turn++) {
      await store.put(Buffer.from(`durable-${name}-${turn}`), makeValue(++version));
    }
  };
  return [
    {
      id: 'durable',
      name: 'durable put, alone',
      unit: 'ns',
      calls: alone,
      async run() {
        for (let call = 0; call < alone; call++)
          await store.put(Buffer.from(`durable-${call}`), makeValue(++version));
      },
    },
    {
      id: 'durable-64',
      name: 'durable put, 64 waiting, each',
      unit: 'ns',
      calls: turns * WAITING,
      async run() {
        await Promise.all(Array.from({ length: WAITING }, (_, name) => writer(name)));
      },
    },
  ];
}

function openAndGet(peer: Peer, directory: string): Work {
  return {
    id: 'open',
    name: 'open and first get, 100k keys',
    unit: 'ns',
    calls: 1,
    async run() {
      const startNs = process.hrtime.bigint();
      const store = await peer.open(directory, 'append');
      if (store.get(formKey(Buffer.alloc(KEY_BYTES), 7)) === undefined)
        throw new Error('a key is lost');
      const elapsedNs = Number(process.hrtime.bigint() - startNs);
      await store.close();
      return elapsedNs;
    },
  };
}
