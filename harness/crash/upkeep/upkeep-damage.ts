import { join } from 'node:path';
import type { MemoryFileSystem } from '../../file-systems/memory-file-system.ts';
import type { Prng } from '../../prng.ts';

const SEGMENT = /^\d{8}\.dwal$/;
const HEADER_BYTES = 24;
const FRAME_BYTES = HEADER_BYTES + 4;

/**
 * Does to one file of a store, or to a segment and its seal, what disks and people do. `others` are
 * directories that hold other states of the same store. Returns it in words; undefined where there
 * was nothing to damage.
 */
export function damageDirectory(
  disk: MemoryFileSystem,
  directory: string,
  others: readonly string[],
  prng: Prng,
): string | undefined {
  const names = disk
    .list(directory)
    .filter((name) => disk.stat(join(directory, name))?.kind === 'file');
  const segments = names.filter((name) => SEGMENT.test(name)).sort();
  const name = prng.below(3) > 0 ? pick(prng, segments) : pick(prng, names.sort());
  if (name === undefined) return undefined;
  const path = join(directory, name);
  const bytes = disk.readFile(path);
  const put = (changed: Uint8Array, words: string) => {
    disk.mutate(path, () => Buffer.from(changed));
    return `${name} ${words}`;
  };
  const at = prng.below(Math.max(bytes.length, 1));
  switch (prng.below(10)) {
    case 0:
    case 1:
    case 2:
      if (bytes.length === 0) return undefined;
      return `${name} with a flipped bit in byte ${flipBit(disk, path, prng).offset}`;
    case 3:
      return put(bytes.subarray(0, at), `cut at ${at}`);
    case 4: {
      const end = pick(prng, frameEnds(bytes)) ?? 0;
      return put(bytes.subarray(0, end), `cut at the frame that begins at ${end}`);
    }
    case 5:
      disk.remove(path);
      return `${name} removed`;
    case 6: {
      bytes.fill(0, at, Math.min(at + 1 + prng.below(64), bytes.length));
      return put(bytes, `with zeros from ${at}`);
    }
    case 7: {
      const from = pick(
        prng,
        others.filter((other) => disk.stat(join(other, name))?.kind === 'file'),
      );
      if (from === undefined) return undefined;
      return put(disk.readFile(join(from, name)), `as it is in ${from}`);
    }
    case 8: {
      const other = pick(prng, segments);
      if (other === undefined || !SEGMENT.test(name)) return undefined;
      const theirs = disk.readFile(join(directory, other));
      if (prng.below(2) === 0) disk.mutate(join(directory, other), () => bytes);
      return put(theirs, `exchanged with ${other}, or replaced by it`);
    }
    default: {
      const seal = `${name.slice(0, 8)}.seal`;
      if (!SEGMENT.test(name) || !names.includes(seal)) return undefined;
      disk.remove(join(directory, seal));
      const end = pick(prng, frameEnds(bytes)) ?? 0;
      return put(
        bytes.subarray(0, end),
        `cut at the frame that begins at ${end}, its seal removed`,
      );
    }
  }
}

/** Flips one bit of a file that is not empty. */
export function flipBit(
  disk: MemoryFileSystem,
  path: string,
  prng: Prng,
): { readonly offset: number } {
  const bytes = disk.readFile(path);
  const offset = prng.below(bytes.length);
  bytes.writeUInt8(bytes.readUInt8(offset) ^ (1 << prng.below(8)), offset);
  disk.mutate(path, () => bytes);
  return { offset };
}

function pick<T>(prng: Prng, all: readonly T[]): T | undefined {
  return all[prng.below(Math.max(all.length, 1))];
}

/** Where the frames of a whole segment begin; the first at 0. */
function frameEnds(bytes: Buffer): number[] {
  const ends: number[] = [];
  for (let at = 0; at + FRAME_BYTES <= bytes.length; ) {
    if (bytes.toString('latin1', at, at + 4) !== 'DWAL') break;
    ends.push(at);
    at += FRAME_BYTES + bytes.readUInt32LE(at + 16) + bytes.readUInt32LE(at + 20);
  }
  return ends;
}
