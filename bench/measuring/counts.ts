import { join } from 'node:path';
import { type BatchOperation, RecordType } from '../../src/engine/index.ts';
import { type CallCounts, countCalls } from './counting-file-system.ts';
import type { Engine } from './group.ts';
import {
  FRAME_BYTES,
  formKey,
  KEY_BYTES,
  makeValue,
  turn,
  USER_BYTES,
  VALUE_BYTES,
} from './workload.ts';

/** A number that the work decides, not the machine: the same in every run, and compared exactly. */
export interface Count {
  readonly id: string;
  readonly name: string;
  readonly value: number;
}

const OPERATIONS = 10_000;
const BATCH = 1000;
const WAITING = 64;
/** The size of a segment, chosen so that the records fill ten. */
const SEALED_BYTES = (OPERATIONS / 10) * FRAME_BYTES;
/** Large enough that garbage of the runtime's own is less than a byte an operation. */
const HEAP_OPERATIONS = 200_000;

/**
 * Counts calls on the real file system, through the seam between the engine and the disk. Needs
 * `--expose-gc`.
 */
export async function measureCounts(engine: Engine, directory: string): Promise<Count[]> {
  return [
    ...(await countOperations(engine, join(directory, 'operations'))),
    ...(await countOpening(engine, join(directory, 'opening'))),
    ...(await countCompaction(engine, join(directory, 'compaction'))),
    ...(await countHeap(engine, join(directory, 'heap'))),
  ];
}

async function countOperations(engine: Engine, directory: string): Promise<Count[]> {
  const counting = countCalls(engine);
  const store = await engine.openStore(directory, { fileSystem: counting.fileSystem });
  const counts: Count[] = [];
  const key = Buffer.alloc(KEY_BYTES);
  const each = async (operations: number, run: (index: number) => unknown): Promise<CallCounts> => {
    counting.take();
    for (let index = 0; index < operations; index++) await run(index);
    return counting.take();
  };
  const add = (id: string, name: string, value: number) => counts.push({ id, name, value });

  add(
    'descriptors-open',
    'descriptors of an open store that has not read',
    counting.take().descriptors,
  );
  const put = await each(OPERATIONS, (index) => store.put(formKey(key, index), makeValue(index)));
  add('put-writes', 'write calls a put', put.writes / OPERATIONS);
  add('put-syncs', 'fdatasyncs a put', put.dataSyncs / OPERATIONS);
  add('put-preads', 'preads per put', put.preads / OPERATIONS);
  add(
    'put-amplification',
    'bytes written a user byte, 16 + 100',
    put.writtenBytes / OPERATIONS / USER_BYTES,
  );

  const get = await each(OPERATIONS, (index) => store.get(formKey(key, index)));
  add('get-preads', 'preads per get', get.preads / OPERATIONS);
  add(
    'get-pread-bytes',
    `bytes read per get, a frame of ${FRAME_BYTES}`,
    get.preadBytes / OPERATIONS,
  );
  add(
    'descriptors-read',
    'descriptors of an open store of one segment that has read',
    get.descriptors,
  );
  const miss = await each(OPERATIONS, (index) => store.get(formKey(key, OPERATIONS + index)));
  add('miss-preads', 'preads per get of an absent key', miss.preads / OPERATIONS);
  const looked = await each(OPERATIONS, (index) => store.has(formKey(key, index)));
  add('has-preads', 'preads a has', looked.preads / OPERATIONS);

  const batches = Array.from({ length: 10 }, (_, batch) =>
    Array.from({ length: BATCH }, (_, index): BatchOperation => {
      return { type: 'put', key: formKey(Buffer.alloc(KEY_BYTES), index), value: makeValue(batch) };
    }),
  );
  const batch = await each(batches.length, (index) =>
    store.batch(batches[index] as BatchOperation[]),
  );
  add('batch-writes', 'write calls a batch of 1,000 puts', batch.writes / batches.length);
  const batchedBytes = batches.length * BATCH * USER_BYTES;
  add(
    'batch-amplification',
    'bytes written a user byte in a batch',
    batch.writtenBytes / batchedBytes,
  );

  const large = await each(10, (index) =>
    store.put(`large-${index}`, Buffer.alloc(1024 * 1024, index)),
  );
  add('large-put-writes', 'write calls a put of 1 MiB', large.writes / 10);

  const alone = await each(WAITING, (index) =>
    store.putDurable(formKey(key, index), makeValue(-index)),
  );
  add('put-durable-syncs', 'fdatasyncs a durable put, alone', alone.dataSyncs / WAITING);
  add(
    'put-durable-writes',
    'write calls a durable put, alone: the frame and the mark',
    alone.writes / WAITING,
  );
  const together = await each(1, () =>
    Promise.all(
      Array.from({ length: WAITING }, (_, index) =>
        store.putDurable(`w${index}`, makeValue(index)),
      ),
    ),
  );
  add('put-durable-64-syncs', 'fdatasyncs for 64 durable puts at once', together.dataSyncs);
  const idle = await each(OPERATIONS, () => store.sync());
  add('idle-sync-syncs', 'fdatasyncs of a sync with nothing to do', idle.dataSyncs / OPERATIONS);
  await store.close();
  add('descriptors-closed', 'descriptors of a closed store', counting.take().descriptors);
  return counts;
}

async function countOpening(engine: Engine, directory: string): Promise<Count[]> {
  return [
    ...(await countScans(engine, join(directory, 'one'))),
    ...(await countSealed(engine, join(directory, 'many'))),
  ];
}

/** Opening a log whose segments but the last have seal files, which are read instead. */
async function countSealed(engine: Engine, directory: string): Promise<Count[]> {
  const writer = await engine.openStore(directory, { segmentBytes: SEALED_BYTES });
  const key = Buffer.alloc(KEY_BYTES);
  for (let index = 0; index < OPERATIONS; index++)
    writer.put(formKey(key, index), makeValue(index));
  await writer.close();
  const counting = countCalls(engine);
  const store = await engine.openStore(directory, {
    segmentBytes: SEALED_BYTES,
    fileSystem: counting.fileSystem,
  });
  const { preadBytes } = counting.take();
  await store.close();
  return [
    {
      id: 'open-sealed-pread-bytes',
      name: 'bytes read by an opening with seal files, per record',
      value: preadBytes / OPERATIONS,
    },
  ];
}

async function countScans(engine: Engine, directory: string): Promise<Count[]> {
  const writer = await engine.openStore(directory);
  const key = Buffer.alloc(KEY_BYTES);
  for (let index = 0; index < OPERATIONS; index++)
    writer.put(formKey(key, index), makeValue(index));
  await writer.close();
  const counting = countCalls(engine);
  const store = await engine.openStore(directory, { fileSystem: counting.fileSystem });
  const opened = counting.take();
  let records = 0;
  for (const { type } of store.scan()) if (type === RecordType.Put) records++;
  const scanned = counting.take();
  await store.close();
  const logBytes = OPERATIONS * FRAME_BYTES;
  if (records !== OPERATIONS) throw new Error(`scanned ${records} records`);
  return [
    {
      id: 'open-pread-bytes',
      name: 'bytes read by an opening a byte of the log, one segment',
      value: opened.preadBytes / logBytes,
    },
    { id: 'open-preads', name: `preads of an opening of ${logBytes} bytes`, value: opened.preads },
    { id: 'scan-preads', name: `preads of a scan of ${logBytes} bytes`, value: scanned.preads },
  ];
}

/** Ten segments of which every second record is put again in five more. */
async function countCompaction(engine: Engine, directory: string): Promise<Count[]> {
  const counting = countCalls(engine);
  const store = await engine.openStore(directory, {
    segmentBytes: SEALED_BYTES,
    fileSystem: counting.fileSystem,
  });
  const key = Buffer.alloc(KEY_BYTES);
  const liveKeys = OPERATIONS / 2;
  // Every second key first, so that each segment of the log holds as much garbage as any other.
  for (let index = 0; index < OPERATIONS; index++) {
    const keyNumber = index % 2 === 0 ? index / 2 : liveKeys + (index - 1) / 2;
    store.put(formKey(key, keyNumber), makeValue(index));
  }
  for (let index = 0; index < liveKeys; index++) store.put(formKey(key, index), makeValue(-index));
  store.rotate();
  await store.sync();
  while (store.stats().unwrittenSeals > 0) await turn();
  counting.take();
  const { merges, inputBytes, outputBytes } = await store.compact();
  const { writtenBytes } = counting.take();
  const liveShare = store.stats().liveBytes / store.stats().sealedBytes;
  await store.close();
  return [
    {
      id: 'compact-merges',
      name: 'merges of a compaction of ten segments, half of each garbage',
      value: merges,
    },
    {
      id: 'compact-output',
      name: 'bytes that it keeps, a byte of its input',
      value: outputBytes / inputBytes,
    },
    {
      id: 'compact-written',
      name: 'bytes that it writes, a byte that it keeps',
      value: writtenBytes / outputBytes,
    },
    { id: 'compact-garbage', name: 'garbage a byte on disk behind it', value: 1 - liveShare },
  ];
}

/**
 * What stays on the V8 heap; the keys are the same again, so that nothing new has to be remembered.
 */
async function countHeap(engine: Engine, directory: string): Promise<Count[]> {
  const store = await engine.openStore(directory);
  const key = Buffer.alloc(KEY_BYTES);
  const value = Buffer.alloc(VALUE_BYTES);
  const put = (index: number) => store.put(formKey(key, index % OPERATIONS), value);
  const get = (index: number) => store.get(formKey(key, index % OPERATIONS));
  const counts: Count[] = [];
  for (const [id, name, run] of [
    ['put-heap', 'bytes of heap kept a put of a known key', put],
    ['get-heap', 'bytes of heap kept a get', get],
  ] as const) {
    for (let index = 0; index < HEAP_OPERATIONS; index++) run(index);
    const before = collectedHeapBytes();
    for (let index = 0; index < HEAP_OPERATIONS; index++) run(index);
    // Whole bytes: what the runtime itself keeps of the loop is a fraction of one.
    counts.push({
      id,
      name,
      value: Math.max(0, Math.round((collectedHeapBytes() - before) / HEAP_OPERATIONS)),
    });
  }
  await store.close();
  return counts;
}

function collectedHeapBytes(): number {
  (globalThis.gc as () => void)();
  return process.memoryUsage().heapUsed;
}
