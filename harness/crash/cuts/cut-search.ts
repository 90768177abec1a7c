import type { DiskImage } from '../../file-systems/disk-image.ts';
import { Prng } from '../../prng.ts';
import { type CrashModel, DiskModel, type Fate } from '../disk/disk-model.ts';
import { legalFates } from '../disk/legal-fates.ts';
import type { Recording } from '../recording/recording.ts';
import { imageDigest } from '../states/crash-images.ts';
import { cutFates } from './cut-fates.ts';
import type { CutSubject, CutVerdict } from './cut-subject.ts';

export const CRASH_MODELS: readonly CrashModel[] = ['ext4', 'posix'];

export interface CutFinding {
  readonly model: CrashModel;
  /** The power went before this event. */
  readonly at: number;
  readonly fates: readonly Fate[];
  readonly image: DiskImage;
  readonly verdict: CutVerdict;
}

export interface CutCounts {
  /** Built, under each model. */
  images: Record<CrashModel, number>;
  /** Images that had been seen before. */
  duplicates: number;
  moments: number;
}

export function noCutCounts(): CutCounts {
  return { images: { ext4: 0, posix: 0 }, duplicates: 0, moments: 0 };
}

export interface CutSearchOptions {
  readonly recording: Recording;
  readonly subject: CutSubject;
  readonly seed: number;
  /** Fates that are tried at one moment under one model, on each pass over the moments. */
  readonly fatesAMoment: number;
  readonly counts: CutCounts;
  readonly models?: readonly CrashModel[];
  readonly isOver: () => boolean;
}

/** Images that are judged at a time. */
const IN_FLIGHT = 4;

export function diskAt(recording: Recording, model: CrashModel, at: number): DiskModel {
  const disk = new DiskModel(recording.first, recording.inodeOf, model);
  for (let index = 0; index < at; index++) {
    const recorded = recording.events[index];
    if (recorded !== undefined) disk.advance(recorded.event, index);
  }
  return disk;
}

/**
 * Cuts the power at every moment of a recording, under each model, and yields what is wrong. `ext4`
 * comes first: what it allows the other one allows as well, and is worse.
 */
export async function* searchCuts(options: CutSearchOptions): AsyncGenerator<CutFinding> {
  const { recording, subject, counts, isOver, models = CRASH_MODELS } = options;
  const judged = new Set<string>();
  for (const model of models) {
    const disk = new DiskModel(recording.first, recording.inodeOf, model);
    for (let at = 0; at <= recording.events.length; at++) {
      if (isOver()) return;
      counts.moments++;
      const running: Promise<CutFinding | undefined>[] = [];
      for (const { fates, image, digest } of imagesOf(disk, model, at, options)) {
        counts.images[model]++;
        // The same image may be judged by more than before.
        const key = `${subject.acknowledged({ recording, at })?.call ?? 0} ${digest}`;
        if (judged.has(key)) {
          counts.duplicates++;
          continue;
        }
        judged.add(key);
        running.push(
          subject
            .judge(image, digest, { recording, at })
            .then((verdict) => verdict && { model, at, fates, image, verdict }),
        );
        if (running.length < IN_FLIGHT) continue;
        const finding = await running.shift();
        if (finding !== undefined) yield finding;
        if (isOver()) break;
      }
      for (const finding of await Promise.all(running)) if (finding !== undefined) yield finding;
      const recorded = recording.events[at];
      if (recorded !== undefined) disk.advance(recorded.event, at);
    }
  }
}

export function* imagesOf(
  disk: DiskModel,
  model: CrashModel,
  at: number,
  { seed, fatesAMoment }: { readonly seed: number; readonly fatesAMoment: number },
): Generator<{ fates: readonly Fate[]; image: DiskImage; digest: string }> {
  const { pieces } = disk;
  let tried = 0;
  const seen = new Set<string>();
  for (const wished of cutFates(pieces, Prng.seeded((seed + at) % 2 ** 32))) {
    if (tried++ >= fatesAMoment) return;
    const fates = legalFates(model, pieces, wished);
    const image = disk.image((index) => fates[index] as Fate);
    const digest = imageDigest(image);
    if (seen.has(digest)) continue;
    seen.add(digest);
    yield { fates, image, digest };
  }
}
