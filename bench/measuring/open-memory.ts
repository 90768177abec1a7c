import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Engine } from './group.ts';

const VALUE_BYTES = 1024;

export interface OpenMemory {
  readonly logBytes: number;
  readonly records: number;
  readonly keys: number;
  /**
   * Largest resident size of a process that only loads the engine, and of one that opens the log,
   * in bytes.
   */
  readonly bareBytes: number;
  readonly openBytes: number;
}

/**
 * Writes a log of so many bytes and opens it in a process of its own, beside one that opens
 * nothing.
 */
export async function measureOpenMemory(
  engineUrl: string,
  directory: string,
  keyCount: number,
  targetBytes: number,
): Promise<OpenMemory> {
  const { openStore } = (await import(engineUrl)) as Engine;
  const store = await openStore(directory);
  let records = 0;
  let logBytes = 0;
  for (const key = Buffer.alloc(16); logBytes < targetBytes; records++) {
    key.writeUInt32LE(records % keyCount, 0);
    logBytes += store.put(key, Buffer.alloc(VALUE_BYTES, records)).byteLength;
  }
  await store.close();
  return {
    logBytes,
    records,
    keys: Math.min(keyCount, records),
    bareBytes: await peakOf([engineUrl]),
    openBytes: await peakOf([engineUrl, directory]),
  };
}

async function peakOf(words: readonly string[]): Promise<number> {
  const program = fileURLToPath(new URL('./open-memory-child.js', import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [program, ...words]);
  return Number(stdout);
}
