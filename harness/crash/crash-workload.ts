import { type BatchOperation, openStore, type Store } from '../../src/engine/index.ts';
import type { Prng } from '../prng.ts';
import { History } from './history.ts';
import { MemoryFileSystem } from './memory-file-system.ts';
import { RecordingFileSystem } from './recording-file-system.ts';
import type { TraceEvent } from './trace.ts';

export const STORE_DIRECTORY = '/store';
/** Small enough that a short workload rotates many times. */
export const SEGMENT_BYTES = 400;
const KEYS = 12;

export interface RecordedWorkload {
  readonly trace: readonly TraceEvent[];
  readonly history: History;
}

/** Runs a seeded workload on a store in memory and records what it did to the disk. */
export async function recordWorkload(prng: Prng, operations: number): Promise<RecordedWorkload> {
  const workload = new Workload(prng);
  await workload.run(operations);
  return { trace: workload.trace, history: workload.history };
}

class Workload {
  readonly trace: TraceEvent[] = [];
  readonly history = new History(KEYS);
  private readonly prng: Prng;
  private fileSystem = new RecordingFileSystem(new MemoryFileSystem(), this.trace);
  private store!: Store;

  constructor(prng: Prng) {
    this.prng = prng;
  }

  async run(operations: number): Promise<void> {
    await this.open();
    for (let step = 0; step < operations; step++) await this.step();
    await this.store.close();
    this.acknowledge();
  }

  private async step(): Promise<void> {
    const choice = this.prng.below(100);
    if (choice < 45) this.put();
    else if (choice < 55) this.delete();
    else if (choice < 65) this.batch();
    else if (choice < 78) await this.sync();
    else if (choice < 84) this.store.rotate();
    // Let a sync that a rotation asked for run beside what follows.
    else if (choice < 92) await Promise.resolve();
    else if (choice < 96) await this.reopen();
    else await this.dieAndReopen();
  }

  private async open(): Promise<void> {
    this.store = await openStore(STORE_DIRECTORY, {
      fileSystem: this.fileSystem,
      segmentBytes: SEGMENT_BYTES,
    });
    // What an opening kept, it made durable.
    this.appended();
    this.acknowledge();
  }

  private put(): void {
    const key = this.pickKey();
    this.store.put(this.history.keyName(key), this.history.valueOf(this.history.length));
    this.history.append({ key, kind: 'put' });
    this.appended();
  }

  private delete(): void {
    const key = this.pickKey();
    this.store.delete(this.history.keyName(key));
    this.history.append({ key, kind: 'delete' });
    this.appended();
  }

  private batch(): void {
    const keys = Array.from({ length: 1 + this.prng.below(5) }, () => this.pickKey());
    const operations = keys.map((key, index): BatchOperation => {
      const name = this.history.keyName(key);
      if (this.prng.below(5) === 0) return { type: 'del', key: name };
      return { type: 'put', key: name, value: this.history.valueOf(this.history.length + index) };
    });
    this.store.batch(operations);
    for (const [index, { type }] of operations.entries()) {
      this.history.append({ key: keys[index] as number, kind: type === 'put' ? 'put' : 'delete' });
    }
    this.appended();
  }

  private async sync(): Promise<void> {
    const { length } = this.history;
    await this.store.sync();
    this.trace.push({ kind: 'acknowledged', operations: length });
  }

  private async reopen(): Promise<void> {
    await this.store.close();
    this.acknowledge();
    await this.open();
  }

  private async dieAndReopen(): Promise<void> {
    this.fileSystem = this.fileSystem.afterProcessDeath();
    await this.open();
  }

  private acknowledge(): void {
    this.trace.push({ kind: 'acknowledged', operations: this.history.length });
  }

  private appended(): void {
    this.trace.push({ kind: 'appended', operations: this.history.length, nextTxid: this.store.end.nextTxid });
  }

  private pickKey(): number {
    return this.prng.below(KEYS);
  }
}
