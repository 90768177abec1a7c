import { setImmediate as nextTurn } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { countedUsage, recountUsage } from '../../harness/crash/promises/usage-recount.ts';
import { MemoryFileSystem } from '../../harness/file-systems/memory-file-system.ts';
import type { BatchOperation, ScannedRecord, Store } from '../../src/engine/index.ts';
import type { Keydir } from '../../src/engine/keydir/keydir.ts';
import type { OpenLog } from '../../src/engine/log/open-log.ts';
import { open } from './store-in-memory.ts';

/** Random steps on a store that is compacted all the time, beside a `Map`. */
type Step =
  | { readonly kind: 'batch'; readonly operations: readonly BatchOperation[] }
  | { readonly kind: 'put' | 'delete' | 'getAsync'; readonly key: string }
  | { readonly kind: 'compact' | 'beginCompact'; readonly deadRatio: number }
  | { readonly kind: 'reopen'; readonly open: 'seals' | 'full' }
  | { readonly kind: 'scanSome'; readonly count: number }
  | { readonly kind: 'rotate' | 'turn' | 'sync' | 'beginScan' };

const key = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', '', 'a longer key');
const value = fc.string({ maxLength: 60 });
const operation = fc.oneof(
  fc.record({ type: fc.constant('put' as const), key, value }),
  fc.record({ type: fc.constant('del' as const), key }),
);
const deadRatio = fc.constantFrom(0, 0.1, 0.3, 0.6, 1);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('put' as const), key }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('delete' as const), key }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('batch' as const),
      operations: fc.array(operation, { maxLength: 8 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('getAsync' as const), key }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constantFrom('compact' as const, 'beginCompact'), deadRatio }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constantFrom('rotate' as const, 'turn', 'sync', 'beginScan'),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('turn' as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('scanSome' as const), count: fc.nat(6) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('reopen' as const),
      open: fc.constantFrom('seals' as const, 'full'),
    }),
  },
);

const OPTIONS = { segmentBytes: 400, descriptorPoolSize: 2 };

class Compacted {
  private readonly fileSystem = new MemoryFileSystem();
  private readonly live = new Map<string, string>();
  private store!: Store;
  private version = 0;
  private reads: Promise<void>[] = [];
  private scan: { iterator: Iterator<ScannedRecord>; rest: string[] } | undefined;
  private compaction: Promise<unknown> | undefined;

  merges = 0;

  async run(steps: readonly Step[]): Promise<void> {
    this.store = await open(this.fileSystem, OPTIONS);
    for (const one of steps) {
      await this.take(one);
      if (this.compaction === undefined) this.checkUsage();
    }
    await this.take({ kind: 'reopen', open: 'full' });
    await this.take({ kind: 'reopen', open: 'seals' });
    await this.store.close();
    expect(this.fileSystem.openDescriptorCount).toBe(0);
  }

  private async take(step: Step): Promise<void> {
    const { store, live } = this;
    switch (step.kind) {
      case 'put':
      case 'delete':
        return this.batch([
          step.kind === 'put'
            ? {
                type: 'put',
                key: step.key,
                value: `${++this.version}`.padEnd(this.version % 50, '.'),
              }
            : { type: 'del', key: step.key },
        ]);
      case 'batch':
        return this.batch(step.operations);
      case 'getAsync': {
        const expected = live.get(step.key);
        const read = store.getAsync(step.key).then((found) => {
          expect(found && Buffer.from(found).toString()).toBe(expected);
        });
        read.catch(() => {});
        this.reads.push(read);
        return;
      }
      case 'compact':
        this.merges += (await store.compact({ deadRatio: step.deadRatio })).merges;
        await this.endCompaction();
        return this.checkAll();
      case 'beginCompact':
        this.compaction = store.compact({ deadRatio: step.deadRatio });
        this.compaction.catch(() => {});
        return;
      case 'reopen':
        return this.reopen(step.open);
      case 'beginScan':
        this.endScan();
        this.scan = { iterator: store.scan(), rest: [...store.scan()].map(describeRecord) };
        // It sees what there is when it is first asked.
        return this.scanSome(1);
      case 'scanSome':
        return this.scanSome(step.count);
      case 'rotate':
        return store.rotate();
      case 'sync':
        return store.sync();
      case 'turn':
        await nextTurn();
        this.checkAll();
    }
  }

  private batch(operations: readonly BatchOperation[]): void {
    this.store.batch(operations);
    for (const one of operations) {
      if (one.type === 'put') this.live.set(one.key as string, one.value as string);
      else this.live.delete(one.key as string);
    }
  }

  /** Also in the middle of a compaction, which ends then. */
  private async reopen(mode: 'seals' | 'full'): Promise<void> {
    this.endScan();
    const closed = this.store.close();
    await this.endCompaction();
    await closed;
    await Promise.all(this.reads);
    this.reads = [];
    expect(this.fileSystem.openDescriptorCount).toBe(0);
    this.store = await open(this.fileSystem, { ...OPTIONS, open: mode });
    expect(this.store.recoveryReport.outcome).toBe('clean');
    this.checkAll();
  }

  private async endCompaction(): Promise<void> {
    const { compaction } = this;
    this.compaction = undefined;
    await compaction?.catch((error) => {
      if (error.code !== 'STORE_CLOSED') throw error;
    });
  }

  private scanSome(count: number): void {
    const { scan } = this;
    for (let one = 0; scan !== undefined && one < count; one++) {
      const { value, done } = scan.iterator.next();
      expect(done ? undefined : describeRecord(value)).toBe(scan.rest.shift());
    }
  }

  private endScan(): void {
    this.scanSome((this.scan?.rest.length ?? 0) + 1);
    this.scan = undefined;
  }

  private checkAll(): void {
    const found = [...this.store.entries()].map(
      ([name, bytes]) => [String(name), String(bytes)] as const,
    );
    expect(new Map(found)).toEqual(this.live);
    expect(this.store.size).toBe(this.live.size);
    expect(this.fileSystem.openDescriptorCount).toBe(this.store.stats().openDescriptors);
  }

  private checkUsage(): void {
    const log = Reflect.get(this.store, 'log') as OpenLog;
    const keydir = Reflect.get(this.store, 'keydir') as Keydir;
    expect(countedUsage(log, keydir)).toEqual(recountUsage(log, keydir));
  }
}

function describeRecord({ txid, type, key: name, payload }: ScannedRecord): string {
  return `${txid} ${type} ${name}=${payload}`;
}

describe('online compaction', () => {
  test('changes nothing that a Map, scans that go on, or reads in flight could tell, and keeps the usage exact', async () => {
    let merges = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 20, maxLength: 120, size: 'max' }),
        async (steps) => {
          const compacted = new Compacted();
          await compacted.run(steps);
          merges += compacted.merges;
        },
      ),
      { numRuns: 60 },
    );
    expect(merges).toBeGreaterThan(20);
  });
});
