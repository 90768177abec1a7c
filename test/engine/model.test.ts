import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MemoryFileSystem } from '../../harness/file-systems/memory-file-system.ts';
import { FRAME_OVERHEAD_BYTES } from '../../src/engine/format/format.ts';
import { segmentPath } from '../../src/engine/format/segment-name.ts';
import { type BatchOperation, openReader, openStore, type Store } from '../../src/engine/index.ts';

/**
 * The store against a `Map`, over random commands. The model also keeps the history since the last
 * opening with the place where each operation's frame ends, so that it can say what must be left
 * when the tail is torn at any byte.
 */
interface HistoryEntry {
  readonly segmentId: number;
  readonly frameEnd: number;
  /** undefined for a delete. */
  readonly value: string | undefined;
  readonly key: string;
}

class Model {
  /** What is known to be kept: the state at the last opening. */
  base = new Map<string, string>();
  history: HistoryEntry[] = [];

  get live(): Map<string, string> {
    return this.replay(this.history);
  }

  replay(history: readonly HistoryEntry[]): Map<string, string> {
    const map = new Map(this.base);
    for (const { key, value } of history) {
      if (value === undefined) map.delete(key);
      else map.set(key, value);
    }
    return map;
  }

  /** A new opening that kept `history`. */
  rebase(history: readonly HistoryEntry[]): void {
    this.base = this.replay(history);
    this.history = [];
  }
}

interface Real {
  fileSystem: MemoryFileSystem;
  directory: string;
  store: Store;
  /** Names the targets of compactTo. */
  generation: number;
}

type StoreCommand = fc.AsyncCommand<Model, Real, true>;

const always = async () => true;

const OPTIONS = { segmentBytes: 400, descriptorPoolSize: 2 };

/**
 * Where an operation's frame ends, by the rule that a segment is sealed when the frame would make
 * it too long.
 */
function placeAfter(end: { segmentId: number; offset: number }, operation: BatchOperation) {
  const valueBytes = operation.type === 'put' ? Buffer.byteLength(operation.value as string) : 0;
  const byteLength = FRAME_OVERHEAD_BYTES + Buffer.byteLength(operation.key as string) + valueBytes;
  const rotates = end.offset > 0 && end.offset + byteLength > OPTIONS.segmentBytes;
  return rotates
    ? { segmentId: end.segmentId + 1, offset: byteLength }
    : { segmentId: end.segmentId, offset: end.offset + byteLength };
}

function checkAll(model: Model, store: Store): void {
  const live = model.live;
  expect(store.size).toBe(live.size);
  for (const [key, value] of live)
    expect(Buffer.from(store.get(key) as Uint8Array).toString()).toBe(value);
  const entries = new Map([...store.entries()].map(([key, value]) => [String(key), String(value)]));
  expect(entries).toEqual(live);
}

class Write implements StoreCommand {
  private readonly operations: readonly BatchOperation[];
  private readonly batched: boolean;
  constructor(operations: readonly BatchOperation[], batched: boolean) {
    this.operations = operations;
    this.batched = batched;
  }
  check = always;
  async run(model: Model, { store }: Real) {
    let place: { segmentId: number; offset: number } = store.end;
    if (this.batched) store.batch(this.operations);
    for (const operation of this.operations) {
      const key = operation.key as string;
      const wasLive = model.live.has(key);
      if (operation.type === 'put' && !this.batched) store.put(key, operation.value);
      if (operation.type === 'del' && !this.batched) expect(store.delete(key)).toBe(wasLive);
      place = placeAfter(place, operation);
      const value = operation.type === 'put' ? (operation.value as string) : undefined;
      model.history.push({ segmentId: place.segmentId, frameEnd: place.offset, key, value });
    }
    expect(store.end).toMatchObject(place);
  }
  toString = () => `${this.batched ? 'batch' : 'write'}(${JSON.stringify(this.operations)})`;
}

class Sync implements StoreCommand {
  check = always;
  async run(_model: Model, { store }: Real) {
    await store.sync();
    expect(store.stats().unsyncedRecords).toBe(0);
  }
  toString = () => 'sync';
}

class Rotate implements StoreCommand {
  check = always;
  async run(_model: Model, { store }: Real) {
    store.rotate();
  }
  toString = () => 'rotate';
}

class Reopen implements StoreCommand {
  check = always;
  async run(model: Model, real: Real) {
    await real.store.close();
    expect(real.fileSystem.openDescriptorCount).toBe(0);
    real.store = await openStore(real.directory, { ...OPTIONS, fileSystem: real.fileSystem });
    expect(real.store.recoveryReport.outcome).toBe('clean');
    model.rebase(model.history);
    checkAll(model, real.store);
  }
  toString = () => 'reopen';
}

/** The process dies: nothing that was appended may be lost (I2), and recovery says so. */
class Kill implements StoreCommand {
  check = always;
  async run(model: Model, real: Real) {
    real.fileSystem = real.fileSystem.afterProcessDeath();
    real.store = await openStore(real.directory, { ...OPTIONS, fileSystem: real.fileSystem });
    expect(real.store.recoveryReport.outcome).toBe('recovered');
    expect(real.store.recoveryReport.discarded).toEqual([]);
    model.rebase(model.history);
    checkAll(model, real.store);
  }
  toString = () => 'kill';
}

/** The process dies and the unsynced end of the last segment is cut at any byte. */
class TearTail implements StoreCommand {
  private readonly position: number;
  constructor(position: number) {
    this.position = position;
  }
  check = always;
  async run(model: Model, real: Real) {
    const { durableEnd, end } = real.store;
    real.fileSystem = real.fileSystem.afterProcessDeath();
    const from = durableEnd.segmentId === end.segmentId ? durableEnd.offset : 0;
    const cut = from + (this.position % (end.offset - from + 1));
    real.fileSystem.mutate(segmentPath(real.directory, end.segmentId), (bytes) =>
      Buffer.from(bytes.subarray(0, cut)),
    );
    real.store = await openStore(real.directory, { ...OPTIONS, fileSystem: real.fileSystem });
    const kept = model.history.filter(
      ({ segmentId, frameEnd }) =>
        segmentId < end.segmentId || (segmentId === end.segmentId && frameEnd <= cut),
    );
    model.rebase(kept);
    checkAll(model, real.store);
  }
  toString = () => `tear(${this.position})`;
}

class CompactTo implements StoreCommand {
  check = always;
  async run(model: Model, real: Real) {
    const target = `/compacted-${++real.generation}`;
    await real.store.compactTo(target);
    checkAll(model, real.store);
    await real.store.close();
    real.directory = target;
    real.store = await openStore(target, { ...OPTIONS, fileSystem: real.fileSystem });
    const records = [...real.store.scan()];
    expect(records.map(({ txid }) => txid)).toEqual(records.map((_, index) => index + 1));
    expect(records.map(({ key }) => String(key))).toEqual([...model.live.keys()].sort());
    model.rebase(model.history);
    checkAll(model, real.store);
  }
  toString = () => 'compactTo';
}

/** A lock-free reader beside the writer sees exactly what the writer has. */
class Read implements StoreCommand {
  check = always;
  async run(model: Model, { store, fileSystem, directory }: Real) {
    const reader = await openReader(directory, { fileSystem });
    expect([...reader.scan()]).toEqual([...store.scan()]);
    expect(reader.size).toBe(model.live.size);
    for (const [key, value] of model.live) {
      expect(String(reader.get(key))).toBe(value);
      expect(String(await reader.getAsync(key))).toBe(value);
    }
    await reader.close();
  }
  toString = () => 'read';
}

const key = fc.constantFrom('a', 'b', 'c', 'd', '', 'a longer key');
const value = fc.string({ maxLength: 60 });
const operation = fc.oneof(
  { weight: 3, arbitrary: fc.record({ type: fc.constant('put' as const), key, value }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('del' as const), key }) },
);

const commands = fc.commands<Model, Real, true>(
  [
    operation.map((one) => new Write([one], false)),
    operation.map((one) => new Write([one], false)),
    fc.array(operation, { maxLength: 8 }).map((many) => new Write(many, true)),
    fc.constant(new Sync()),
    fc.constant(new Rotate()),
    fc.constant(new Reopen()),
    fc.constant(new Kill()),
    fc.nat().map((position) => new TearTail(position)),
    fc.constant(new CompactTo()),
    fc.constant(new Read()),
  ],
  { maxCommands: 60 },
);

async function run(program: Iterable<StoreCommand>): Promise<void> {
  const fileSystem = new MemoryFileSystem();
  const store = await openStore('/store', { ...OPTIONS, fileSystem });
  const real: Real = { fileSystem, directory: '/store', store, generation: 0 };
  const model = new Model();
  await fc.asyncModelRun(() => ({ model, real }), program);
  checkAll(model, real.store);
  await real.store.close();
  expect(real.fileSystem.openDescriptorCount).toBe(0);
}

describe('model', () => {
  test('the store agrees with a Map through writes, rotations, kills, torn tails, reopenings and compactions', async () => {
    await fc.assert(fc.asyncProperty(commands, run), { numRuns: 300 });
  });
});
