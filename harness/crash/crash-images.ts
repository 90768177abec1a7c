import { createHash } from 'node:crypto';
import type { Prng } from '../prng.ts';
import type { DiskImage, DiskModel, Fate, Piece } from './disk-model.ts';

/** Up to this many unsynced pieces, every subset of them is tried. */
const EXHAUSTIVE_PIECES = 12;

export interface ImageBudget {
  /** Random subsets where there are too many pieces to try all. */
  readonly subsets: number;
  /** Tears of one write, each in front of what comes before it and among a random subset of the others. */
  readonly tearsAWrite: number;
}

/**
 * The images that a power cut may leave now. Where at most 12 pieces are unsynced every subset of them comes, kept or lost
 * independently; beyond, every prefix and a seeded sample. Then each write torn at byte, 512 B and 4 KiB grain, the rest
 * short, zeros, or garbage, and a few with only their end on disk.
 */
export function* crashImages(disk: DiskModel, prng: Prng, budget: ImageBudget): Generator<DiskImage> {
  const { pieces } = disk;
  if (pieces.length <= EXHAUSTIVE_PIECES) {
    for (let subset = 0; subset < 2 ** pieces.length; subset++) {
      yield disk.image((index) => ((subset >>> index) & 1 ? 'kept' : 'lost'));
    }
  } else {
    for (let kept = 0; kept <= pieces.length; kept++)
      yield disk.image((index) => (index < kept ? 'kept' : 'lost'));
    for (let sample = 0; sample < budget.subsets; sample++)
      yield disk.image(randomFates(pieces.length, prng));
  }
  for (const [torn, piece] of pieces.entries()) {
    for (const fate of tears(piece, prng, budget.tearsAWrite)) {
      yield disk.image((index) => (index === torn ? fate : index < torn ? 'kept' : 'lost'));
      const others = randomFates(pieces.length, prng);
      yield disk.image((index) => (index === torn ? fate : others(index)));
    }
  }
}

function randomFates(count: number, prng: Prng): (index: number) => Fate {
  const fates = Array.from({ length: count }, (): Fate => (prng.below(2) === 0 ? 'kept' : 'lost'));
  return (index) => fates[index] as Fate;
}

const FILLS = ['short', 'zeros', 'garbage'] as const;

function* tears({ event }: Piece, prng: Prng, most: number): Generator<Fate> {
  if (event.kind !== 'write') return;
  const { length } = event.bytes;
  const all: Fate[] = [];
  for (const cut of cuts(event.position, length)) {
    for (const fill of FILLS) all.push({ keepFrom: 0, keepTo: cut, fill });
    if (cut > 0) all.push({ keepFrom: cut, keepTo: length, fill: 'zeros' });
  }
  while (all.length > most) all.splice(prng.below(all.length), 1);
  yield* all;
}

/** Every byte of a small write; of a larger one its edges and the sector and page boundaries in it. */
function cuts(position: number, length: number): number[] {
  if (length <= 256) return Array.from({ length }, (_, cut) => cut);
  const places = [0, 1, 23, 24, 28, length - 1];
  for (const grain of [512, 4096]) {
    for (let at = grain - (position % grain); at < length; at += grain) places.push(at);
  }
  return [...new Set(places)];
}

/** Equal for images in which an opening finds the same. */
export function imageDigest(image: DiskImage): string {
  const hash = createHash('sha1');
  for (const path of [...image.directories].sort()) hash.update(`${path}\n`);
  for (const path of [...image.files.keys()].sort()) {
    const bytes = image.files.get(path) as Buffer;
    hash.update(`${path} ${bytes.length}\n`).update(bytes);
  }
  return hash.digest('base64');
}
