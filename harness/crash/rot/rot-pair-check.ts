import { openReader, openStore, type Store, StoreError } from '../../../src/engine/index.ts';
import { InvariantBroken } from '../promises/invariants.ts';
import type { RotOutcome } from './rot-check.ts';
import type { PairSubject, Shown } from './rot-pair-subjects.ts';
import type { RotPair } from './rot-pairs.ts';
import { fileSystemWith, ROT_DIRECTORY } from './rot-subject.ts';

/**
 * Opens what two damages have left, for reading and for writing. It is refused, or it shows a state
 * of the history that has everything that was durable, and says so when that is not the last one.
 */
export async function judgePair(subject: PairSubject, pair: RotPair): Promise<RotOutcome> {
  // One that meets an unfinished merge waits for its end before it gives up.
  const isMerging = [...pair.files.keys()].some((name) => name.endsWith('.merge'));
  const read = isMerging ? undefined : await readerShows(pair);
  const fileSystem = fileSystemWith(pair.files);
  let store: Store;
  try {
    store = await openStore(ROT_DIRECTORY, { fileSystem });
  } catch (error) {
    if (!(error instanceof StoreError) || !TELLING.has(error.code))
      throw new InvariantBroken('typed', `opening throws ${(error as Error).stack}`);
    if (pair.mustOpen)
      throw new InvariantBroken('I2', `a store that lacks nothing is refused: ${error.message}`);
    if (read !== undefined && typeof read !== 'string')
      throw new InvariantBroken('I5', `a reader shows what an opening refuses: ${error.message}`);
    return 'detected';
  }
  const shown = pairsOf(store);
  const { outcome } = store.recoveryReport;
  const found = await store.verify();
  await store.close();
  const alsoRead = read ?? (await readerShows(pair));
  if (typeof alsoRead === 'string')
    throw new InvariantBroken('I2', `a reader refuses what opens: ${alsoRead}`);
  if (!isSame(alsoRead, shown))
    throw new InvariantBroken('I3', 'a reader shows other pairs than an opening');
  if (found.damageCount > 0)
    throw new InvariantBroken('I5', `it opens, and verify finds ${found.damages[0]?.what}`);
  const at = subject.states.findLastIndex((state) => isSame(state, shown));
  if (at === -1) throw new InvariantBroken('I5', `opening shows ${text(shown)}, which never was`);
  if (at < pair.durable)
    throw new InvariantBroken(
      'I5',
      `opening shows the state after ${at} operations, and ${pair.durable} were durable`,
    );
  const isLast = at === subject.states.length - 1;
  if (isLast) return 'unharmed';
  if (outcome === 'clean' && !pair.isCopy)
    throw new InvariantBroken(
      'I5',
      `${subject.states.length - 1 - at} operations are gone silently`,
    );
  return 'prefix';
}

const TELLING: ReadonlySet<string> = new Set(['STORE_CORRUPT', 'AMBIGUOUS_TAIL', 'TORN_TAIL']);

async function readerShows({ files }: RotPair): Promise<Shown | string> {
  try {
    const reader = await openReader(ROT_DIRECTORY, { fileSystem: fileSystemWith(files) });
    const shown = pairsOf(reader);
    await reader.close();
    return shown;
  } catch (error) {
    if (error instanceof StoreError) return error.message;
    throw error;
  }
}

function pairsOf(view: Pick<Store, 'entries'>): Shown {
  return new Map(
    [...view.entries()].map(([key, value]) => [
      Buffer.from(key).toString(),
      Buffer.from(value).toString(),
    ]),
  );
}

function isSame(a: Shown, b: Shown): boolean {
  return a.size === b.size && [...a].every(([key, value]) => b.get(key) === value);
}

function text(shown: Shown): string {
  return [...shown].map(([key, value]) => `${key}=${value}`).join(' ');
}
