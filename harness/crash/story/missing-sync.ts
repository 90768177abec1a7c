import { dirname } from 'node:path';
import type { TraceEvent } from '../../file-systems/trace.ts';
import { type CutFinding, diskAt, imagesOf } from '../cuts/cut-search.ts';
import type { CutSubject } from '../cuts/cut-subject.ts';
import { DiskModel, type PendingPiece } from '../disk/disk-model.ts';
import type { Recording } from '../recording/recording.ts';
import { pathsOf } from './paths.ts';

/** One sync that the program does not make. */
export interface MissingSync {
  readonly of: string;
  /** The sync is missing between this call and `before`. */
  readonly after: number;
  readonly before: number;
  /**
   * True when no image of this moment, or of one since the lost piece, breaks the same promise once
   * the sync is there.
   */
  readonly isEnough: boolean;
}

/** Images of each moment that must all be right before a sync is said to be enough. */
const IMAGES_TRIED = 24;
/** Moments between the piece and the cut. */
const MOMENTS_TRIED = 16;

/**
 * Tries, for each piece that was lost, a sync of its file or directory: right behind the piece, and
 * before the acknowledgement.
 */
export async function missingSyncs(
  { model, at, fates, verdict }: CutFinding,
  recording: Recording,
  subject: CutSubject,
  seed: number,
  hasTime: () => boolean,
): Promise<MissingSync[]> {
  const { events, marks, calls } = recording;
  const acknowledged = subject.acknowledged({ recording, at })?.call;
  const end = marks.find(({ call }) => call === acknowledged)?.at ?? at;
  const tried = new Map<string, MissingSync>();
  const lost = diskAt(recording, model, at).pieces.filter((_, index) => fates[index] !== 'kept');
  const holds = async (sync: Sync, place: number, moment: number): Promise<boolean> => {
    const disk = new DiskModel(recording.first, recording.inodeOf, model);
    for (let index = 0; index <= moment; index++) {
      if (index === place) disk.advance({ ...sync, since: place }, place);
      const recorded = events[index];
      if (index < moment && recorded !== undefined) disk.advance(recorded.event, index);
    }
    const budget = { seed, fatesAMoment: IMAGES_TRIED };
    for (const { image, digest } of imagesOf(disk, model, moment, budget)) {
      const found = await subject.judge(image, digest, { recording, at: moment });
      if (found?.promise === verdict.promise) return false;
    }
    return true;
  };
  for (const piece of lost) {
    const object = syncOf(piece, recording);
    for (const place of new Set([nextName(recording, piece.at, end), Math.min(end, at)])) {
      const key = `${object.path} ${place}`;
      if (place <= piece.at || tried.has(key) || !hasTime()) continue;
      const first = Math.max(piece.at + 1, at - MOMENTS_TRIED);
      let isEnough = true;
      for (let moment = at; moment >= first && isEnough && hasTime(); moment--)
        isEnough = await holds(object.event, place, moment);
      const before = place === end ? acknowledged : events[place]?.call.number;
      tried.set(key, {
        of: object.path,
        after: events[piece.at]?.call.number ?? 0,
        before: before ?? calls,
        isEnough: isEnough && hasTime(),
      });
    }
  }
  return [...tried.values()];
}

/** The next event that changes a name: what must be on disk before it. */
function nextName({ events }: Recording, from: number, end: number): number {
  for (let at = from + 1; at < end; at++) {
    const kind = events[at]?.event.kind;
    if (kind === 'rename' || kind === 'remove' || kind === 'create') return at;
  }
  return end;
}

type Sync = Extract<TraceEvent, { kind: 'dataSync' | 'directorySync' }>;

function syncOf(
  { event, at }: PendingPiece,
  recording: Recording,
): { readonly path: string; readonly event: Sync } {
  if (event.kind === 'write' || event.kind === 'truncate') {
    const path = pathsOf(recording, at).get(event.inode) ?? 'the file';
    return { path, event: { kind: 'dataSync', inode: event.inode, since: 0 } };
  }
  const path = dirname(event.kind === 'rename' ? event.to : event.path);
  return { path, event: { kind: 'directorySync', path, since: 0 } };
}
