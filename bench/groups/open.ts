import { cpSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import {
  type Engine,
  type Group,
  type GroupContext,
  scaled,
  type Work,
} from '../measuring/group.ts';
import { fill } from '../measuring/workload.ts';

const RECORDS = 1_000_000;

/**
 * Opening a million records, with and without seal files, and scanning them; each divided by the
 * records.
 */
export async function openGroup({ engine, directory, scale }: GroupContext): Promise<Group> {
  const records = scaled(RECORDS, scale);
  const sealed = join(directory, 'sealed');
  const writer = await engine.openStore(sealed);
  await fill(writer, records);
  // All of it, so that the one row is about seal files and the other about none; closing waits for
  // them.
  writer.rotate();
  await writer.close();
  const bare = join(directory, 'bare');
  cpSync(sealed, bare, { recursive: true });
  const open = (
    id: string,
    name: string,
    limitNs: number,
    before: () => void,
    from: string,
  ): Work => ({
    id,
    name,
    unit: 'ns',
    calls: records,
    target: { kind: 'value', limit: limitNs },
    async run() {
      before();
      const startNs = process.hrtime.bigint();
      const store = await engine.openStore(from);
      const elapsedNs = Number(process.hrtime.bigint() - startNs);
      if (store.size !== records) throw new Error(`found ${store.size} keys of ${records}`);
      await store.close();
      return elapsedNs / records;
    },
  });
  const works = [
    open('open-1m', 'open, 1M records, no seal files, each', 400, () => removeSeals(bare), bare),
    scan(engine, sealed, records),
  ];
  if (seals(sealed).length > 0) {
    works.push(open('open-1m-sealed', 'open, 1M records, seal files, each', 150, () => {}, sealed));
  }
  return { works, finish: async () => {} };
}

function scan(engine: Engine, directory: string, records: number): Work {
  return {
    id: 'scan-1m',
    name: 'scan, each',
    unit: 'ns',
    calls: records,
    target: { kind: 'value', limit: 500 },
    async run() {
      const reader = await engine.openReader(directory);
      const startNs = process.hrtime.bigint();
      let seen = 0;
      for (const _ of reader.scan()) seen++;
      const elapsedNs = Number(process.hrtime.bigint() - startNs);
      if (seen !== records) throw new Error(`saw ${seen} records of ${records}`);
      await reader.close();
      return elapsedNs / records;
    },
  };
}

function removeSeals(directory: string): void {
  for (const name of seals(directory)) rmSync(join(directory, name));
}

function seals(directory: string): string[] {
  return readdirSync(directory).filter((name) => name.endsWith('.seal'));
}
