import { type CrashModel, type Fate, isData, type PendingPiece } from './disk-model.ts';

const PAGE_BYTES = 4096;
const SECTOR_BYTES = 512;

/**
 * The nearest fates that a model allows. `posix` allows every one. `ext4`, a journal in ordered
 * mode: names and sizes are kept in the order in which they were made. A write that makes its file
 * longer shows whole pages or nothing, and only behind those before it; it is there when its blocks
 * were given before a name or size that is kept. A write over bytes that the file had has no order,
 * and tears at sectors.
 */
export function legalFates(
  model: CrashModel,
  pieces: readonly PendingPiece[],
  wished: readonly Fate[],
): Fate[] {
  if (model === 'posix') return [...wished];
  const firstLost = pieces.findIndex(
    ({ event }, index) => event.kind !== 'write' && wished[index] === 'lost',
  );
  const end = firstLost === -1 ? pieces.length : firstLost;
  const lastKept =
    pieces.findLast(({ event }, index) => event.kind !== 'write' && index < end)?.at ?? -1;
  /** Files whose journalled size ends before their next write. */
  const short = new Set<number>();
  return pieces.map(({ event, isExtending, allocatedAt }, index): Fate => {
    const wish = wished[index] as Fate;
    if (event.kind !== 'write') {
      if (index < end) return 'kept';
      if ('inode' in event && event.inode !== undefined && isData(event)) short.add(event.inode);
      return 'lost';
    }
    const { inode, position, bytes } = event;
    if (!isExtending) return typeof wish === 'string' ? wish : atSectors(wish, position, bytes);
    if (short.has(inode)) return 'lost';
    if (wish === 'kept' || allocatedAt <= lastKept) return 'kept';
    short.add(inode);
    if (wish === 'lost') return 'lost';
    const page = position + wish.keepTo - ((position + wish.keepTo) % PAGE_BYTES);
    return page <= position ? 'lost' : { keepFrom: 0, keepTo: page - position, fill: 'short' };
  });
}

function atSectors(
  { keepFrom, keepTo }: Exclude<Fate, string>,
  position: number,
  { length }: Buffer,
): Fate {
  const aligned = (at: number) =>
    at >= length ? length : Math.max(0, at - ((position + at) % SECTOR_BYTES));
  const [from, to] = [aligned(keepFrom), aligned(keepTo)];
  return from >= to ? 'lost' : { keepFrom: from, keepTo: to, fill: 'short' };
}
