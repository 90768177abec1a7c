import { resolve } from 'node:path';
import {
  openReader,
  openStore,
  type ReaderOptions,
  type Store,
  StoreError,
  type StoreOptions,
  type StoreReader,
} from '../engine/index.ts';
import { hasStore } from './directory-view.ts';
import { Progress } from './progress.ts';

/** Opens the store without the lock and without writing, for as long as `use` takes. */
export async function withReader<T>(
  directory: string,
  use: (reader: StoreReader) => Promise<T>,
  options: ReaderOptions = {},
): Promise<T> {
  const progress = new Progress('opening');
  const reader = await openReader(directory, {
    ...options,
    onOpenProgress: progress.update,
  }).finally(() => progress.end());
  try {
    return await use(reader);
  } finally {
    await reader.close();
  }
}

/** Opens the store with the writer lock, for as long as `use` takes. */
export async function withStore<T>(
  directory: string,
  use: (store: Store) => Promise<T>,
  options: StoreOptions = {},
): Promise<T> {
  const progress = new Progress('opening');
  const store = await openStore(directory, { ...options, onOpenProgress: progress.update }).finally(
    () => progress.end(),
  );
  try {
    return await use(store);
  } finally {
    await store.close();
  }
}

/** An opening for writing would make a store of a directory whose name was mistyped. */
export function requireStore(directory: string): void {
  if (hasStore(directory)) return;
  throw new StoreError('NOT_FOUND', `there is no store in ${resolve(directory)}`, {
    path: resolve(directory),
  });
}

const ATTEMPTS = 5;

/** Looks again when a merge has replaced what was being looked at: nothing is wrong then. */
export async function repeatedly<T>(look: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await look();
    } catch (error) {
      const isGone = (error as { code?: unknown } | undefined)?.code === 'SNAPSHOT_GONE';
      if (!isGone || attempt === ATTEMPTS) throw error;
    }
  }
}
