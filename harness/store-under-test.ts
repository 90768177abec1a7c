import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Probe } from '../src/engine/index.ts';
import { AdapterError } from './adapter-error.ts';
import { ContractError, type DeclaredContract, parseContract } from './contract.ts';
import { resolveInstalled } from './installed-package.ts';

export type MaybePromise<T> = T | PromiseLike<T>;

/**
 * Any store that a harness can be pointed at. Keys and values are bytes, and belong to the store
 * once they are passed in; values that come out must not change later. A method may answer at once
 * or with a promise; what it does has happened when the answer is there. Whatever it throws ends
 * the run and counts against the store.
 */
export interface StoreUnderTest {
  get(key: Uint8Array): MaybePromise<Uint8Array | undefined>;
  /**
   * A `RangeError` says that key or value is beyond the store's limits, which is no fault of the
   * store.
   */
  put(key: Uint8Array, value: Uint8Array): MaybePromise<unknown>;
  delete(key: Uint8Array): MaybePromise<unknown>;
  /**
   * Everything before it survives what the contract says, a power cut unless it says less. A store
   * without it promises nothing more than its `put`.
   */
  sync?(): MaybePromise<unknown>;
  entries():
    | Iterable<readonly [Uint8Array, Uint8Array]>
    | AsyncIterable<readonly [Uint8Array, Uint8Array]>;
  /**
   * Gives back the space of what was overwritten and deleted. Without it the harness never
   * compacts.
   */
  compact?(): MaybePromise<unknown>;
  /** What only the inside knows; called once per sample, so it should be cheap. */
  stats?(): MaybePromise<StoreUnderTestStats>;
  /** Afterwards the directory can be opened again, in this process. */
  close(): MaybePromise<unknown>;
}

/** Numbers that a store may tell of itself; all else in it goes into the summary as it is. */
export interface StoreUnderTestStats {
  /** Files that make up the data. */
  readonly segments?: number;
  /** How often a new segment was begun since this opening. */
  readonly rotations?: number;
  /** Bytes of all data files. */
  readonly diskBytes?: number;
  /**
   * Descriptors that the store holds open when nothing is running. With it the soak demands that
   * the descriptors counted from outside are exactly these, beside those of the process itself.
   */
  readonly openDescriptors?: number;
  /** The most that it ever holds, work in flight included. */
  readonly descriptorLimit?: number;
  readonly [name: string]: unknown;
}

/**
 * The default export of an adapter module: opens the store in `directory`, which exists, creating
 * it when empty.
 */
export type OpenStoreUnderTest = (
  directory: string,
  /** Probes of tidemark; a store that cannot take them ignores them. */
  options?: { readonly probes?: readonly Probe[] },
) => Promise<StoreUnderTest>;

export { AdapterError };

/** What an adapter module exports. */
export interface Adapter {
  readonly open: OpenStoreUnderTest;
  /** What it says that its store promises; checked field by field. */
  readonly contract: DeclaredContract;
  /**
   * Names of files, in the store's directory, that mean nothing after a start of the machine: locks
   * and shared memory. A power cut leaves a store without them.
   */
  readonly volatileFiles: readonly string[];
}

interface AdapterModule {
  readonly default: OpenStoreUnderTest;
  readonly contract?: DeclaredContract;
  readonly volatileFiles?: readonly string[];
}

const READY_MADE: Readonly<Record<string, () => Promise<AdapterModule>>> = {
  tidemark: () => import('./adapters/tidemark.ts'),
  lmdb: () => import('./adapters/lmdb.ts'),
  'classic-level': () => import('./adapters/classic-level.ts'),
  'better-sqlite3': () => import('./adapters/better-sqlite3.ts'),
};

const METHODS = ['get', 'put', 'delete', 'entries', 'close'] as const;
const OPTIONAL_METHODS = ['sync', 'compact', 'stats'] as const;

/** The `open` of an adapter; see `loadAdapterModule`. */
export async function loadAdapter(nameOrPath: string): Promise<OpenStoreUnderTest> {
  return (await loadAdapterModule(nameOrPath)).open;
}

/**
 * A ready-made adapter by its name, a module by its path (with a slash or an extension in it), or
 * an installed package by its name. What it opens is checked to have every method. Throws
 * `AdapterError`.
 */
export async function loadAdapterModule(nameOrPath: string): Promise<Adapter> {
  const module = await importAdapter(nameOrPath);
  const open = module.default;
  if (typeof open !== 'function') {
    throw new AdapterError(
      `${nameOrPath} has no default export open(directory): Promise<StoreUnderTest>`,
    );
  }
  return {
    open: async (directory, options) => {
      const store: unknown = await open(directory, options);
      checkMethods(nameOrPath, store);
      return store;
    },
    contract: contractOf(nameOrPath, module.contract),
    volatileFiles: volatileFilesOf(nameOrPath, module.volatileFiles),
  };
}

function volatileFilesOf(nameOrPath: string, names: unknown): readonly string[] {
  if (names === undefined) return [];
  if (Array.isArray(names) && names.every((name) => typeof name === 'string')) return names;
  throw new AdapterError(`${nameOrPath}: volatileFiles must be an array of names of files`);
}

async function importAdapter(nameOrPath: string): Promise<Partial<AdapterModule>> {
  const readyMade = Object.hasOwn(READY_MADE, nameOrPath) ? READY_MADE[nameOrPath] : undefined;
  if (readyMade !== undefined) return readyMade();
  try {
    return await import(urlOf(nameOrPath));
  } catch (error) {
    if (error instanceof AdapterError) throw error;
    throw new AdapterError(
      `cannot load ${nameOrPath}: ${error instanceof Error ? error.message : String(error)}`,
      { cause: error },
    );
  }
}

function urlOf(nameOrPath: string): string {
  const isPath = /^[./\\]|\.[cm]?[jt]s$/.test(nameOrPath);
  const path = isPath ? resolve(nameOrPath) : resolveInstalled(nameOrPath);
  if (path !== undefined) return pathToFileURL(path).href;
  throw new AdapterError(
    `there is no adapter ${JSON.stringify(nameOrPath)}: give ${Object.keys(READY_MADE).join(' or ')}, the path of a module such as ./my-store.mjs, or an installed package`,
  );
}

function contractOf(nameOrPath: string, contract: unknown): DeclaredContract {
  try {
    return parseContract(nameOrPath, contract);
  } catch (error) {
    if (!(error instanceof ContractError)) throw error;
    throw new AdapterError(error.message, { cause: error });
  }
}

function checkMethods(nameOrPath: string, store: unknown): asserts store is StoreUnderTest {
  if (typeof store !== 'object' || store === null) {
    throw new AdapterError(
      `${nameOrPath}: open(directory) gave ${store === null ? 'null' : typeof store}, not a store`,
    );
  }
  const methods = store as Record<string, unknown>;
  const wrong = [
    ...METHODS.filter((name) => typeof methods[name] !== 'function'),
    ...OPTIONAL_METHODS.filter((name) => !['function', 'undefined'].includes(typeof methods[name])),
  ];
  if (wrong.length > 0) {
    throw new AdapterError(
      `${nameOrPath}: the store has no method ${wrong.map((m) => `${m}()`).join(', ')}`,
    );
  }
}
