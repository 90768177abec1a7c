import type { Prng } from '../../prng.ts';
import type { Fate, PendingPiece } from '../disk/disk-model.ts';

/** Up to this many pieces every subset comes. */
const EXHAUSTIVE_PIECES = 12;
const TEAR_PLACES = [1, 512, 4096];

/**
 * What may become of the pieces that are unsynced when the power goes, the most telling first: none
 * kept, all kept, each alone lost, each prefix, each alone kept, tears, then every subset of up to
 * 12 pieces, or subsets by chance without end.
 */
export function* cutFates(pieces: readonly PendingPiece[], prng: Prng): Generator<Fate[]> {
  const of = (fate: (index: number) => Fate) => pieces.map((_, index) => fate(index));
  yield of(() => 'lost');
  if (pieces.length === 0) return;
  yield of(() => 'kept');
  const recent = pieces.map((_, index) => pieces.length - 1 - index);
  for (const index of recent) yield of((at) => (at === index ? 'lost' : 'kept'));
  for (const index of recent) yield of((at) => (at < index ? 'kept' : 'lost'));
  for (const index of recent) yield of((at) => (at === index ? 'kept' : 'lost'));
  for (const index of recent) {
    for (const fate of tears(pieces[index] as PendingPiece)) {
      yield of((at) => (at === index ? fate : 'kept'));
      yield of((at) => (at === index ? fate : at < index ? 'kept' : 'lost'));
    }
  }
  if (pieces.length <= EXHAUSTIVE_PIECES) {
    for (let subset = 0; subset < 2 ** pieces.length; subset++)
      yield of((index) => ((subset >>> index) & 1 ? 'kept' : 'lost'));
    return;
  }
  for (;;) {
    yield of((index) => {
      if (prng.below(6) > 0) return prng.below(2) === 0 ? 'kept' : 'lost';
      const torn = tears(pieces[index] as PendingPiece);
      return torn.length === 0 ? 'kept' : (torn[prng.below(torn.length)] as Fate);
    });
  }
}

/** A write that is on disk in part: cut at a byte, a sector or a page, and what stands behind. */
function tears({ event }: PendingPiece): Fate[] {
  if (event.kind !== 'write') return [];
  const { position, bytes } = event;
  const { length } = bytes;
  const places = new Set([length >>> 1, length - 1]);
  for (const grain of TEAR_PLACES) {
    places.add(grain - (position % grain));
    places.add(length - ((position + length) % grain));
  }
  const fates: Fate[] = [];
  for (const place of places) {
    if (place <= 0 || place >= length) continue;
    fates.push({ keepFrom: 0, keepTo: place, fill: 'short' });
    fates.push({ keepFrom: 0, keepTo: place, fill: 'zeros' });
    fates.push({ keepFrom: place, keepTo: length, fill: 'zeros' });
  }
  // The size is there, and none of the bytes.
  fates.push({ keepFrom: 0, keepTo: 0, fill: 'zeros' });
  if (length > 2) fates.push({ keepFrom: 0, keepTo: length >>> 1, fill: 'garbage' });
  return fates;
}
