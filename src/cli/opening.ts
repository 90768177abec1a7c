import { existsSync, readdirSync, statSync } from 'node:fs';
import {
  openReader,
  openStore,
  type ReaderOptions,
  type Store,
  type StoreOptions,
  type StoreReader,
} from '../engine/index.ts';
import { CommandError } from './failure.ts';
import { Progress } from './progress.ts';

/** Opens the store without the lock and without writing, for as long as `use` takes. */
export async function withReader<T>(
  directory: string,
  use: (reader: StoreReader) => Promise<T>,
  options: ReaderOptions = {},
): Promise<T> {
  const progress = new Progress('opening');
  const reader = await openReader(directory, { ...options, onOpenProgress: progress.update }).finally(() =>
    progress.end(),
  );
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
  const store = await openStore(directory, { ...options, onOpenProgress: progress.update }).finally(() =>
    progress.end(),
  );
  try {
    return await use(store);
  } finally {
    await store.close();
  }
}

/** An opening for writing would make a store of a directory whose name was mistyped. */
export function requireStore(directory: string): void {
  const found = existsSync(directory) && statSync(directory).isDirectory() ? readdirSync(directory) : [];
  if (found.some((name) => /^\d{8}\.dwal$/.test(name))) return;
  throw new CommandError(
    `there is no store in ${directory}. Name the directory that holds the store, the one with 00000001.dwal in it`,
  );
}
