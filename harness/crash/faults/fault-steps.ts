import { join } from 'node:path';
import { openStore } from '../../../src/engine/index.ts';
import { type DiskImage, EMPTY_DISK, imageOf } from '../../file-systems/disk-image.ts';
import { MemoryFileSystem } from '../../file-systems/memory-file-system.ts';
import type { HistoryOperation } from '../promises/history.ts';
import { FaultHistory } from './fault-history.ts';
import type { FaultStep } from './fault-scenario.ts';

/** What stores do while a call fails. */
export interface FaultStory {
  readonly name: string;
  readonly steps: readonly FaultStep[];
  /** What is on the disk when it begins, and which operations of it are durable. */
  readonly image: DiskImage;
  readonly operations: readonly HistoryOperation[];
  readonly durable: number;
}

const put = (key: number): FaultStep => ({ kind: 'write', operation: { key, kind: 'put' } });
const remove = (key: number): FaultStep => ({ kind: 'write', operation: { key, kind: 'delete' } });
const durable = (key: number): FaultStep => ({ kind: 'durable', operation: { key, kind: 'put' } });
const batch = (...keys: number[]): FaultStep => ({
  kind: 'batch',
  operations: keys.map((key, index) => ({ key, kind: index === 1 ? 'delete' : 'put' })),
});
const step = (kind: Exclude<FaultStep['kind'], 'write' | 'durable' | 'batch'>): FaultStep => ({
  kind,
});

const LIFE: readonly FaultStep[] = [
  step('open'),
  put(0),
  put(1),
  batch(2, 0, 3, 4, 1),
  step('sync'),
  step('rotate'),
  durable(0),
  remove(1),
  step('read'),
  step('scan'),
  step('compactTo'),
  step('export'),
  step('rotate'),
  put(2),
  step('rotate'),
  put(3),
  step('sync'),
  step('close'),
  step('open'),
  step('read'),
  put(4),
  step('rotate'),
  step('close'),
];

const SHORT_LIFE: readonly FaultStep[] = [
  step('open'),
  put(0),
  batch(1, 0),
  step('rotate'),
  durable(2),
  step('read'),
  step('close'),
];

const AFTER_RECOVERY: readonly FaultStep[] = [
  step('open'),
  step('read'),
  put(1),
  step('sync'),
  step('close'),
  step('open'),
  step('close'),
];

/** Stories that begin with the first opening and end with the last close. */
export async function faultStories(size: 'tiny' | 'whole'): Promise<readonly FaultStory[]> {
  const life = {
    name: 'life',
    steps: size === 'tiny' ? SHORT_LIFE : LIFE,
    image: EMPTY_DISK,
    operations: [],
    durable: 0,
  };
  return [life, await tornStory()];
}

/**
 * A process died with one segment begun behind a torn one: opening it has to cut, to save and to
 * rewrite.
 */
async function tornStory(): Promise<FaultStory> {
  const directory = '/parent/store';
  const fileSystem = new MemoryFileSystem();
  const history = new FaultHistory();
  const store = await openStore(directory, { fileSystem });
  const writeOne = (key: number) => {
    store.put(history.keyName(key), history.valueOf(history.length));
    history.append({ key, kind: 'put' });
  };
  const operations: HistoryOperation[] = [0, 1, 2].map((key) => ({ key, kind: 'put' }));
  writeOne(0);
  writeOne(1);
  await store.sync();
  const end = store.end;
  writeOne(2);
  store.rotate();
  // Durable as far as this process knows, which a power cut in the middle of it need not leave so.
  const died = fileSystem.afterProcessDeath();
  died.mutate(join(directory, `${String(end.segmentId).padStart(8, '0')}.dwal`), (bytes) =>
    bytes.subarray(0, end.offset + 20),
  );
  return { name: 'recovery', steps: AFTER_RECOVERY, image: imageOf(died), operations, durable: 2 };
}
