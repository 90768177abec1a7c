import { createHash } from 'node:crypto';
import type { DiskImage } from '../../file-systems/disk-image.ts';
import type { Prng } from '../../prng.ts';
import type { DiskModel, Fate, Piece } from '../disk/disk-model.ts';

/** Up to this many unsynced pieces, every subset of them is tried. */
const EXHAUSTIVE_PIECES = 12;

export interface ImageBudget {
  /** Random subsets where there are too many pieces to try all. */
  readonly subsets: number;
  /**
   * Tears of one write, each in front of what comes before it and among a random subset of the
   * others.
   */
  readonly tearsAWrite: number;
}

/**
 * The images that a power cut may leave now. Where at most 12 pieces are unsynced every subset of
 * them comes, kept or lost independently; beyond, every prefix and a seeded sample. Then each write
 * torn at byte, 512 B and 4 KiB grain, the rest short, zeros, garbage or stale, and a few with only
 * their end on disk: behind everything that came before it, and among a sample of the others, now
 * and then torn themselves.
 */
export function* crashImages(
  disk: DiskModel,
  prng: Prng,
  budget: ImageBudget,
): Generator<DiskImage> {
  const { pieces } = disk;
  if (pieces.length <= EXHAUSTIVE_PIECES) {
    for (let subset = 0; subset < 2 ** pieces.length; subset++) {
      yield disk.image((index) => ((subset >>> index) & 1 ? 'kept' : 'lost'));
    }
  } else {
    for (let kept = 0; kept <= pieces.length; kept++)
      yield disk.image((index) => (index < kept ? 'kept' : 'lost'));
    for (let sample = 0; sample < budget.subsets; sample++)
      yield disk.image(randomFates(pieces, prng));
  }
  for (const [torn, { event }] of pieces.entries()) {
    if (event.kind !== 'write') continue;
    for (const fate of tears(event, prng, budget.tearsAWrite)) {
      yield disk.image((index) => (index === torn ? fate : index < torn ? 'kept' : 'lost'));
      const others = randomFates(pieces, prng);
      yield disk.image((index) => (index === torn ? fate : others(index)));
    }
  }
}

/** One piece in so many, where all are left to chance, is torn. */
const TORN_ONE_IN = 6;

function randomFates(pieces: readonly Piece[], prng: Prng): (index: number) => Fate {
  const fates = pieces.map(({ event }): Fate => {
    if (event.kind === 'write' && prng.below(TORN_ONE_IN) === 0) {
      const cut = pick(cuts(event), prng);
      return pick(fatesAt(cut, event), prng);
    }
    return prng.below(2) === 0 ? 'kept' : 'lost';
  });
  return (index) => fates[index] as Fate;
}

const FILLS = ['short', 'zeros', 'garbage', 'stale'] as const;

type Write = Extract<Piece['event'], { kind: 'write' }>;

/** All of them, or a sample of `most`. */
function tears(event: Write, prng: Prng, most: number): Fate[] {
  const fates = cuts(event).flatMap((cut) => fatesAt(cut, event));
  if (fates.length <= most) return fates;
  // A partial Fisher-Yates shuffle: the front holds the sample.
  for (let at = 0; at < most; at++) {
    const other = at + prng.below(fates.length - at);
    [fates[at], fates[other]] = [fates[other] as Fate, fates[at] as Fate];
  }
  return fates.slice(0, most);
}

function fatesAt(cut: number, { bytes }: Write): Fate[] {
  const fates = FILLS.map((fill): Fate => ({ keepFrom: 0, keepTo: cut, fill }));
  if (cut > 0) fates.push({ keepFrom: cut, keepTo: bytes.length, fill: 'zeros' });
  return fates;
}

/**
 * Every byte of a small write; of a larger one its edges and the sector and page boundaries in it.
 */
function cuts({ position, bytes: { length } }: Write): number[] {
  if (length <= 256) return Array.from({ length }, (_, cut) => cut);
  const places = [0, 1, 23, 24, 28, length - 1];
  for (const grain of [512, 4096]) {
    for (let at = grain - (position % grain); at < length; at += grain) places.push(at);
  }
  return [...new Set(places)];
}

function pick<T>(from: readonly T[], prng: Prng): T {
  return from[prng.below(from.length)] as T;
}

/** The model shares the bytes of a file between images until they change, and so does this. */
const fileDigests = new WeakMap<Buffer, string>();

/** Equal for images in which an opening finds the same. */
export function imageDigest({ files, directories }: DiskImage): string {
  const parts = [...directories];
  for (const [path, bytes] of files) parts.push(`${path} ${fileDigest(bytes)}`);
  return parts.sort().join('\n');
}

export function fileDigest(bytes: Buffer): string {
  let digest = fileDigests.get(bytes);
  if (digest === undefined) {
    digest = createHash('sha1').update(bytes).digest('base64');
    fileDigests.set(bytes, digest);
  }
  return digest;
}
