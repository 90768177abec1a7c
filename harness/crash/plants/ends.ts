import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  type FileSystem,
  openReader,
  openStore,
  type Store,
  StoreError,
  salvage,
} from '../../../src/engine/index.ts';
import { intercept } from '../../file-systems/intercepted.ts';
import { MemoryFileSystem } from '../../file-systems/memory-file-system.ts';
import { InvariantBroken } from '../promises/invariants.ts';

/**
 * Ends everything that takes time, at every call that it makes of the file system: by its signal
 * and by the close of its store or reader. Whatever it is then settles soon, holds no descriptor,
 * leaves nothing unfinished behind, and its store goes on.
 */

const DIRECTORY = '/store';
const ROWS = '/rows.jsonl';

interface Use {
  readonly fileSystem: FileSystem;
  readonly signal: AbortSignal | undefined;
}

interface Ending {
  readonly name: string;
  readonly takesSignal: boolean;
  /** Whose close ends it; beside what is nobody's a reader is open. */
  readonly of: 'store' | 'reader' | 'nobody';
  readonly work: (holder: Holder, use: Use) => Promise<unknown>;
}

type Holder = Awaited<ReturnType<typeof openReader>> | Store;

function given(signal: AbortSignal | undefined): { signal?: AbortSignal } {
  return signal === undefined ? {} : { signal };
}

export const ENDINGS: readonly Ending[] = [
  ...(['store', 'reader'] as const).flatMap((of): Ending[] => [
    {
      name: `${of}.verify`,
      takesSignal: true,
      of,
      work: (holder, { signal }) => holder.verify(given(signal)),
    },
    {
      name: `${of}.verify, paced`,
      takesSignal: true,
      of,
      work: (holder, { signal }) => holder.verify({ ...given(signal), bytesPerSecond: 2 ** 30 }),
    },
    {
      name: `${of}.exportJsonl`,
      takesSignal: true,
      of,
      work: (holder, { signal }) => holder.exportJsonl('/out.jsonl', given(signal)),
    },
  ]),
  {
    name: 'reader.exportLines',
    takesSignal: true,
    of: 'reader',
    work: async (holder, { signal }) => {
      for await (const _ of (holder as Awaited<ReturnType<typeof openReader>>).exportLines(
        given(signal),
      )) {
        // Only pulled.
      }
    },
  },
  {
    name: 'reader.refresh',
    takesSignal: false,
    of: 'reader',
    work: (holder) => (holder as Awaited<ReturnType<typeof openReader>>).refresh(),
  },
  {
    name: 'store.compactTo',
    takesSignal: true,
    of: 'store',
    work: (holder, { signal }) => (holder as Store).compactTo('/compacted', given(signal)),
  },
  {
    name: 'store.compact',
    takesSignal: true,
    of: 'store',
    work: (holder, { signal }) => (holder as Store).compact({ deadRatio: 0.1, ...given(signal) }),
  },
  {
    name: 'store.backup',
    takesSignal: true,
    of: 'store',
    work: (holder, { signal }) => (holder as Store).backup('/backup', given(signal)),
  },
  {
    name: 'store.importJsonl',
    takesSignal: true,
    of: 'store',
    work: (holder, { signal }) => (holder as Store).importJsonl(ROWS, given(signal)),
  },
  {
    name: 'salvage',
    takesSignal: true,
    of: 'nobody',
    work: (_, { fileSystem, signal }) =>
      salvage(DIRECTORY, '/salvaged', { fileSystem, ...given(signal) }),
  },
  {
    name: 'store.sealsWritten',
    takesSignal: false,
    of: 'store',
    work: (holder) => (holder as Store).sealsWritten(),
  },
  {
    name: 'store.sync',
    takesSignal: false,
    of: 'store',
    work: (holder) => (holder as Store).sync(),
  },
];

/** Turns of the event loop in which whatever ends has ended. */
const MOST_TURNS = 5_000;
/** Read and written between the end and the settling: a slice or two, and what is under way. */
const MOST_BYTES_AFTER = 3 * 1024 * 1024;

/** Several slices of segments with garbage, closed in order, and rows for an import. */
export async function storeToEnd(): Promise<MemoryFileSystem> {
  const fileSystem = new MemoryFileSystem();
  const store = await openStore(DIRECTORY, { fileSystem });
  for (let index = 0; index < 12; index++) {
    store.put(`key-${index % 8}`, Buffer.alloc(400_000, index));
    store.put(`small-${index}`, 'value');
    store.rotate();
  }
  await store.sealsWritten();
  await store.exportJsonl(ROWS);
  await store.close();
  return fileSystem;
}

export interface EndCounts {
  ends: number;
  /** How many of those came before the work was done. */
  early: number;
  /** Read and written after a signal, at most. */
  mostBytesAfter: number;
}

/** Ends the work at each call, and when it is done; `stride` leaves some out. */
export async function endEverywhere(
  ending: Ending,
  how: 'signal' | 'close',
  base: MemoryFileSystem,
  stride = 1,
): Promise<EndCounts> {
  const counts: EndCounts = { ends: 0, early: 0, mostBytesAfter: 0 };
  for (let at = 0; ; at += stride) {
    const calls = await endAt(ending, how, base, at, counts);
    if (at > calls) return counts;
  }
}

async function endAt(
  { name, work, of }: Ending,
  how: 'signal' | 'close',
  base: MemoryFileSystem,
  at: number,
  counts: EndCounts,
): Promise<number> {
  const where = `${name}, ended by ${how} at call ${at}`;
  const broken = (what: string) => new InvariantBroken('I14', `${where}: ${what}`);
  const memory = base.afterProcessDeath();
  const controller = new AbortController();
  const reason = new Error('nobody wants it any more');
  let calls = Number.NEGATIVE_INFINITY;
  let bytesAfter = 0;
  let closing: Promise<void> | undefined;
  let end = () => {};
  const fileSystem = intercept(memory, ({ proceed, method }) => {
    if (++calls === at) end();
    const result = proceed();
    const isEnded = controller.signal.aborted || closing !== undefined;
    if (isEnded && /^(?:read|write)/.test(method) && typeof result === 'number')
      bytesAfter += result;
    return result;
  });
  const holder: Holder =
    of === 'store'
      ? await openStore(DIRECTORY, { fileSystem })
      : await openReader(DIRECTORY, { fileSystem });
  if (name === 'store.sealsWritten' || name === 'store.sync') {
    (holder as Store).put('more', Buffer.alloc(300_000));
    (holder as Store).rotate();
  }
  end =
    how === 'signal'
      ? () => controller.abort(reason)
      : () => {
          closing = holder.close();
        };
  if (at === 0) end();
  calls = 0;
  const outcome = settled(
    (async () =>
      work(holder, { fileSystem, signal: how === 'signal' ? controller.signal : undefined }))(),
  );
  const error = await within(outcome, () => broken('it does not end'));
  const made = calls;
  if (error !== undefined) {
    const isReason = how === 'signal' && error === reason;
    const isClosed =
      how === 'close' && error instanceof StoreError && error.code === 'STORE_CLOSED';
    if (!isReason && !isClosed) throw broken(`it fails otherwise: ${error}`);
  }
  counts.mostBytesAfter = Math.max(counts.mostBytesAfter, how === 'signal' ? bytesAfter : 0);
  if (how === 'signal' && bytesAfter > MOST_BYTES_AFTER)
    throw broken(`it goes on for ${bytesAfter} bytes`);
  if (at === 0 && how === 'signal' && error === undefined) throw broken('it was begun at all');
  if (how === 'signal') goOn(holder, memory, broken);
  await within(settled(closing ?? holder.close()), () => broken('the close does not end'));
  if (memory.openDescriptorCount > 0)
    throw broken(`${memory.openDescriptorCount} descriptors are left open`);
  for (const file of memory.list('/')) {
    if (/unfinished/.test(file)) throw broken(`${file} is left`);
  }
  const again = await openStore(DIRECTORY, { fileSystem: memory }).catch((failure: unknown) => {
    throw broken(`the store does not open any more: ${failure}`);
  });
  if (again.get('key-1') === undefined) throw broken('a key is gone');
  await again.close();
  counts.ends++;
  if (error !== undefined) counts.early++;
  return made;
}

/** Its store is as good as before. */
function goOn(holder: Holder, memory: MemoryFileSystem, broken: (what: string) => Error): void {
  if (holder.get('key-1') === undefined) throw broken('a key is gone');
  if (!('put' in holder)) return;
  holder.put('after', 'value');
  const { openDescriptors } = holder.stats();
  if (openDescriptors !== memory.openDescriptorCount)
    throw broken(`${memory.openDescriptorCount} descriptors are open, and not ${openDescriptors}`);
}

function settled(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => undefined,
    (error: unknown) => error,
  );
}

async function within(work: Promise<unknown>, late: () => Error): Promise<unknown> {
  let isSettled = false;
  let outcome: unknown;
  void work.then((value) => {
    isSettled = true;
    outcome = value;
  });
  for (let turn = 0; turn < MOST_TURNS; turn++) {
    if (isSettled) return outcome;
    await nextTurn();
  }
  throw late();
}

/**
 * The iterators that are pulled, each left after some number of pulls: by `return` or by `throw`.
 * Returns how many ends there were.
 */
export async function leaveIterators(base: MemoryFileSystem): Promise<number> {
  let ends = 0;
  for (const way of ['return', 'throw'] as const) {
    for (const name of ['scan', 'entries', 'keys', 'exportLines'] as const) {
      for (let pulls = 0; ; pulls += 4) {
        const memory = base.afterProcessDeath();
        const holder = await openReader(DIRECTORY, { fileSystem: memory });
        const iterator = pulled(holder[name]());
        const where = `${name} left by ${way} after ${pulls} pulls`;
        let isDone = false;
        for (let pull = 0; pull < pulls && !isDone; pull++)
          isDone = (await iterator.next()).done === true;
        const reason = new Error('enough');
        const left = await settled((async () => leave(iterator, way, reason))());
        if (left !== undefined && left !== reason)
          throw new InvariantBroken('I14', `${where}: ${left}`);
        if ((await iterator.next()).done !== true)
          throw new InvariantBroken('I14', `${where}: it goes on`);
        ends++;
        await holder.close();
        if (memory.openDescriptorCount > 0)
          throw new InvariantBroken('I14', `${where}: a descriptor is left open`);
        if (isDone) break;
      }
    }
  }
  return ends;
}

type Pulled = Iterator<unknown> | AsyncIterator<unknown>;

function pulled(iterable: Iterable<unknown> | AsyncIterable<unknown>): Pulled {
  return Symbol.asyncIterator in iterable
    ? iterable[Symbol.asyncIterator]()
    : iterable[Symbol.iterator]();
}

function leave(iterator: Pulled, way: 'return' | 'throw', reason: Error): unknown {
  return way === 'return' ? iterator.return?.() : iterator.throw?.(reason);
}
