import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { AdapterError } from '../adapter-error.ts';
import { ContractError, type DeclaredContract, parseContract } from '../contract.ts';
import { resolveInstalled } from '../installed-package.ts';
import type { Adapter, OpenStoreUnderTest, StoreUnderTest } from '../store-under-test.ts';

interface AdapterModule {
  readonly default: OpenStoreUnderTest;
  readonly contract?: DeclaredContract;
  readonly volatileFiles?: readonly string[];
}

const READY_MADE: Readonly<Record<string, () => Promise<AdapterModule>>> = {
  tidemark: () => import('./tidemark.ts'),
  lmdb: () => import('./lmdb.ts'),
  'classic-level': () => import('./classic-level.ts'),
  'better-sqlite3': () => import('./better-sqlite3.ts'),
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
