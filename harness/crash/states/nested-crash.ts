import { type DiskImage, fileSystemOf } from '../../file-systems/disk-image.ts';
import { RecordingFileSystem } from '../../file-systems/recording-file-system.ts';
import type { Prng } from '../../prng.ts';
import type { Expectation, ExpectationRaised } from '../promises/expectation.ts';
import type { History } from '../promises/history.ts';
import { openImage } from './image-check.ts';
import type { StateEvent } from './state-event.ts';

/** A recovery, and what came after it, as a workload of its own that can crash again. */
export interface RecordedRecovery {
  readonly trace: readonly StateEvent[];
  /** The inodes of the files of the image that it began with. */
  readonly inodes: ReadonlyMap<string, number>;
  readonly history: Pick<History, 'stateOf' | 'longestPrefix'>;
  /** What it discarded, by the path at which it is kept from then on. */
  readonly quarantined: ReadonlyMap<string, Buffer>;
}

const AFTER_KEY = 'after';
const AFTER_VALUE = 'the recovery';

/** One recovery in so many is killed in one of its first calls, and begun again. */
const KILL_ONE_IN = 2;
const KILL_WITHIN_CALLS = 30;

/** Recovers an image, writes, syncs and closes, recording it all. */
export async function recordRecovery(
  image: DiskImage,
  recovered: string,
  history: RecordedRecovery['history'],
  prng: Prng,
): Promise<RecordedRecovery> {
  const memory = fileSystemOf(image);
  const inodes = new Map(
    [...image.files.keys()].map((path) => [path, memory.stat(path)?.inode as number]),
  );
  let fileSystem = new RecordingFileSystem<ExpectationRaised>(memory);
  if (prng.below(KILL_ONE_IN) === 0) {
    fileSystem.dieIn(1 + prng.below(KILL_WITHIN_CALLS));
    await openImage(fileSystem).catch(() => {});
    fileSystem = fileSystem.afterProcessDeath();
  }
  const { trace } = fileSystem;
  const expect = (more: Partial<Expectation>) => trace.push({ kind: 'expect', more });
  expect({ begun: 1 });
  const store = await openImage(fileSystem);
  const quarantined = new Map<string, Buffer>();
  for (const { quarantinePath } of store.recoveryReport.discarded) {
    if (quarantinePath !== null)
      quarantined.set(quarantinePath, fileSystem.readFile(quarantinePath));
  }
  store.put(AFTER_KEY, AFTER_VALUE);
  expect({ nextTxid: store.end.nextTxid });
  await store.sync();
  expect({ acknowledged: 1 });
  await store.close();
  expect({ closed: true });
  return { trace, inodes, history: new HistoryAfter(history, recovered), quarantined };
}

/** Begins where a recovery ended, and has one operation. */
class HistoryAfter {
  private readonly before: RecordedRecovery['history'];
  private readonly recovered: string;

  constructor(before: RecordedRecovery['history'], recovered: string) {
    this.before = before;
    this.recovered = recovered;
  }

  stateOf(pairs: Iterable<[Uint8Array, Uint8Array]>): string {
    const older: [Uint8Array, Uint8Array][] = [];
    let suffix = '';
    for (const pair of pairs) {
      if (String(pair[0]) === AFTER_KEY && String(pair[1]) === AFTER_VALUE) suffix = AFTER_SUFFIX;
      else older.push(pair);
    }
    return this.before.stateOf(older) + suffix;
  }

  longestPrefix(state: string): number | undefined {
    if (state === this.recovered) return 0;
    return state === this.recovered + AFTER_SUFFIX ? 1 : undefined;
  }
}

const AFTER_SUFFIX = ' and what was put after it';
