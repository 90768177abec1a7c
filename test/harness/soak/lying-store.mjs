import { closeSync, openSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * A store in memory, whose "disk" outlives a close as long as the process lives, and which
 * misbehaves as the variable LIE says, from its 200th put on: about the key of that put, its victim
 * (and about every key that is deleted).
 */
const LIES_FROM_PUT = 200;
const { LIE } = process.env;
const disks = new Map();
let puts = 0;
let victim;

export default async function open(directory) {
  if (!disks.has(directory)) disks.set(directory, new Map());
  const pairs = disks.get(directory);
  const store = {
    get: (key) => pairs.get(String(key)),
    put(key, value) {
      if (++puts === LIES_FROM_PUT) {
        victim = String(key);
        misbehave(directory, pairs);
      }
      if (String(key) === victim) lieAboutPut(pairs, value);
      else pairs.set(String(key), value);
    },
    delete(key) {
      if (LIE !== 'resurrected' || victim === undefined) pairs.delete(String(key));
    },
    sync: async () => {
      // As a merge closes the files that it has replaced: in the background, a moment later.
      if (LIE === 'closes-deleted-file-late' && victim !== undefined) {
        const descriptor = openDeletedFile(directory);
        setTimeout(() => closeSync(descriptor), 200);
      }
    },
    *entries() {
      for (const [key, value] of pairs) yield [Buffer.from(key), value];
      if (LIE === 'invented') yield [Buffer.from('nobody put this'), Buffer.from('x')];
    },
    close: async () => {},
  };
  if (LIE === 'no-delete') delete store.delete;
  if (LIE === 'no-sync') delete store.sync;
  return store;
}

function lieAboutPut(pairs, value) {
  switch (LIE) {
    case 'lost':
      pairs.delete(victim);
      break;
    case 'wrong':
      pairs.set(
        victim,
        value.map((byte, index) => (index === value.length - 1 ? byte ^ 1 : byte)),
      );
      break;
    default:
      pairs.set(victim, value);
  }
}

function misbehave(directory, pairs) {
  switch (LIE) {
    case 'exits':
      console.error('the last words');
      process.exit(7);
      break;
    case 'full-disk-loses':
    case 'full-disk':
      if (LIE === 'full-disk-loses') pairs.clear();
      throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
    case 'throws':
      throw new Error('something went wrong');
    case 'leaks-descriptor':
      openSync('/dev/null');
      break;
    case 'keeps-deleted-file':
      openDeletedFile(directory);
      break;
  }
}

function openDeletedFile(directory) {
  const path = join(directory, 'gone');
  writeFileSync(path, '');
  const descriptor = openSync(path);
  unlinkSync(path);
  return descriptor;
}
