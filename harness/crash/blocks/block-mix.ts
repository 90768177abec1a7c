import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import type { Prng } from '../../prng.ts';

/** What a disk writes whole, or not at all. */
const SECTOR_BYTES = 512;
const CHUNK_BYTES = 256 * 1024;

/**
 * Mixes two images of a disk that has ended no flush between them into one that it may have left at
 * the later moment: each sector that differs is the older or the newer one, by chance. No flush
 * covers what was written after the earlier image, so a disk with a cache may have kept any of it,
 * in any order; what stood there before it is in both. Returns how many sectors differ; with 0
 * there is nothing to mix. `path` is a copy of the earlier image.
 */
export function mixInto(path: string, laterPath: string, prng: Prng): number {
  const target = openSync(path, 'r+');
  const later = openSync(laterPath, 'r');
  const old = Buffer.alloc(CHUNK_BYTES);
  const fresh = Buffer.alloc(CHUNK_BYTES);
  let differing = 0;
  try {
    for (let at = 0; ; at += CHUNK_BYTES) {
      const length = readSync(target, old, 0, CHUNK_BYTES, at);
      readSync(later, fresh, 0, CHUNK_BYTES, at);
      if (length === 0) return differing;
      if (old.equals(fresh)) continue;
      for (let sector = 0; sector < length; sector += SECTOR_BYTES) {
        const end = sector + SECTOR_BYTES;
        if (old.compare(fresh, sector, end, sector, end) === 0) continue;
        differing++;
        if (prng.below(2) === 0) writeSync(target, fresh, sector, SECTOR_BYTES, at + sector);
      }
    }
  } finally {
    closeSync(target);
    closeSync(later);
  }
}
