import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { openStore, type Store, StoreError } from '../../../src/engine/index.ts';
import { LOCK_FILE } from '../../../src/engine/lock/writer-lock.ts';
import { InvariantBroken } from '../promises/invariants.ts';
import { HOST_OPTIONS, sequenceOf } from './host-protocol.ts';
import type { HostWriter } from './host-writer.ts';

/** What a store holds: the number of the write that each key is of. */
async function holdingsOf(store: Store): Promise<Map<string, number>> {
  const found = new Map<string, number>();
  for (const [key, value] of store.entries()) {
    const name = Buffer.from(key).toString();
    const sequence = sequenceOf(name, Buffer.from(value).toString());
    if (sequence === undefined)
      throw new InvariantBroken('I3', `${name} holds what was never put for it`);
    found.set(name, sequence);
  }
  return found;
}

/** Keys of which less is there than the writer had been told was durable. */
function missingOf(
  found: ReadonlyMap<string, number>,
  writer: HostWriter,
  durable: number,
): string[] {
  const missing: string[] = [];
  for (const [key, sequence] of writer.keysUpTo(durable)) {
    const there = found.get(key);
    if (there === undefined || there < sequence)
      missing.push(`${key} (write ${sequence}, ${there ?? 'nothing'} is there)`);
  }
  return missing;
}

/**
 * Opens the store where it is now, when no writer lives any more, and holds it to what its writers
 * had been told.
 */
export async function judgeStore(
  directory: string,
  writers: readonly HostWriter[],
  invariant: 'I11' | 'I13',
): Promise<void> {
  // Without a lock file nobody can know that the holder of the lease is dead.
  rmSync(join(directory, `${LOCK_FILE}.lock`), { recursive: true, force: true });
  let store: Store;
  try {
    store = await openStore(directory, HOST_OPTIONS);
  } catch (error) {
    throw new InvariantBroken(invariant, `the store does not open any more: ${error}`);
  }
  try {
    const found = await holdingsOf(store);
    for (const writer of writers) {
      const [first, ...others] = missingOf(found, writer, writer.acknowledged);
      if (first !== undefined)
        throw new InvariantBroken(
          invariant,
          `acknowledged, and not there: ${first} and ${others.length} more`,
        );
    }
  } finally {
    await store.close();
  }
}

export type CopyOutcome = 'refused' | 'reported' | 'whole';

/** I5 for a copy of a live store: what was durable when it began is there, or it says it is not. */
export async function judgeCopy(
  directory: string,
  writer: HostWriter,
  durable: number,
): Promise<CopyOutcome> {
  let store: Store;
  try {
    store = await openStore(directory, HOST_OPTIONS);
  } catch (error) {
    if (error instanceof StoreError) return 'refused';
    throw error;
  }
  try {
    const missing = missingOf(await holdingsOf(store), writer, durable);
    if (missing.length === 0) return 'whole';
    const { notes, discarded } = store.recoveryReport;
    if (notes.length > 0 || discarded.length > 0) return 'reported';
    throw new InvariantBroken(
      'I5',
      `a copy opens without a word and lacks ${missing.length} durable keys, such as ${missing[0]}`,
    );
  } catch (error) {
    if (error instanceof StoreError) return 'refused';
    throw error;
  } finally {
    await store.close();
  }
}

/** Everything that a directory holds, but for what its owner refreshes. */
export function digestOf(directory: string): string {
  if (!existsSync(directory)) return 'nothing';
  const hash = createHash('sha256');
  const entries = readdirSync(directory, { withFileTypes: true });
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    hash.update(`${entry.name}\n`);
    if (entry.isFile()) hash.update(readFileSync(join(directory, entry.name)));
  }
  return hash.digest('hex');
}
