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
  /** Before this event. */
  readonly place: number;
  /** No image of the moment breaks the same promise with it. */
  readonly isEnough: boolean;
}

/** Images of the moment that must all be right before a sync is said to be enough. */
const IMAGES_TRIED = 48;

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
  const acknowledged = subject.acknowledged({ recording, at })?.call;
  const before =
    recording.marks.find(({ call }) => call === acknowledged)?.at ?? recording.events.length;
  const tried = new Map<string, MissingSync>();
  const lost = diskAt(recording, model, at).pieces.filter((_, index) => fates[index] !== 'kept');
  for (const piece of lost) {
    const object = syncOf(piece, recording);
    for (const place of new Set([Math.min(before, at), nextName(recording, piece.at, at)])) {
      const key = `${object.path} ${place}`;
      if (place <= piece.at || tried.has(key) || !hasTime()) continue;
      const disk = new DiskModel(recording.first, recording.inodeOf, model);
      for (let index = 0; index <= at; index++) {
        if (index === place) disk.advance({ ...object.event, since: place }, place);
        const recorded = recording.events[index];
        if (index < at && recorded !== undefined) disk.advance(recorded.event, index);
      }
      let isEnough = true;
      for (const { image, digest } of imagesOf(disk, model, at, {
        seed,
        fatesAMoment: IMAGES_TRIED,
      })) {
        const found = await subject.judge(image, digest, { recording, at });
        if (found?.promise !== verdict.promise) continue;
        isEnough = false;
        break;
      }
      tried.set(key, { of: object.path, place, isEnough });
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
