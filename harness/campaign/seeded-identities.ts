import crypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import os from 'node:os';
import { mix32, Prng } from '../prng.ts';

/**
 * Everything that tells one process from another and gets onto the disk: random bytes (store ids,
 * nonces, names of temporary files), the process id and the host's name. While a unit runs they
 * come from its seed, so that its images are the same in every process.
 */
const REAL = { randomBytes: crypto.randomBytes, hostname: os.hostname, pid: process.pid };
/** Whoever asks whether this process lives is told yes, everywhere: there is always a first one. */
const SEEDED_PID = 1;
const SEEDED_HOST = 'unit';

/** Runs `run` with identities from `seed`, an integer from 0 to 2^32 - 1. One at a time. */
export async function withSeededIdentities<T>(seed: number, run: () => Promise<T>): Promise<T> {
  seedIdentities(seed);
  try {
    return await run();
  } finally {
    replace(REAL);
  }
}

/** From here on, until the process ends or the next seed. */
export function seedIdentities(seed: number): void {
  const prng = Prng.seeded(mix32(seed));
  const randomBytes = (size: number): Buffer => {
    const bytes = Buffer.alloc(size);
    for (let at = 0; at < size; at++) bytes[at] = prng.nextUint32() >>> 24;
    return bytes;
  };
  replace({
    randomBytes: randomBytes as typeof crypto.randomBytes,
    hostname: () => SEEDED_HOST,
    pid: SEEDED_PID,
  });
}

function replace({ randomBytes, hostname, pid }: typeof REAL): void {
  Object.assign(crypto, { randomBytes });
  Object.assign(os, { hostname });
  Object.defineProperty(process, 'pid', { value: pid, configurable: true, enumerable: true });
  // What others have imported by name follows.
  syncBuiltinESMExports();
}
