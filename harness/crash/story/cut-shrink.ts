import { type CutFinding, diskAt } from '../cuts/cut-search.ts';
import type { CutSubject } from '../cuts/cut-subject.ts';
import type { Fate } from '../disk/disk-model.ts';
import { legalFates } from '../disk/legal-fates.ts';
import type { Recording } from '../recording/recording.ts';
import { imageDigest } from '../states/crash-images.ts';

/** The finding with the fewest pieces lost, and then with the fewest bytes of them. */
export async function shrinkCut(
  finding: CutFinding,
  recording: Recording,
  subject: CutSubject,
  hasTime: () => boolean,
): Promise<CutFinding> {
  const { model, at } = finding;
  const disk = diskAt(recording, model, at);
  let best = finding;
  const attempt = async (wished: readonly Fate[]): Promise<boolean> => {
    const fates = legalFates(model, disk.pieces, wished);
    if (JSON.stringify(fates) === JSON.stringify(best.fates)) return false;
    const image = disk.image((index) => fates[index] as Fate);
    const verdict = await subject.judge(image, imageDigest(image), { recording, at });
    if (verdict?.promise !== finding.verdict.promise) return false;
    best = { ...finding, fates, image, verdict };
    return true;
  };
  // Many at once at first, the newest before the older ones: they matter least.
  for (let size = best.fates.length >>> 1; size >= 1; size >>>= 1) {
    for (let end = best.fates.length; end > 0 && hasTime(); end -= size) {
      const kept = best.fates.map((fate, index) =>
        index < end && index >= end - size ? 'kept' : fate,
      );
      if (kept.some((fate, index) => fate !== best.fates[index])) await attempt(kept);
    }
  }
  for (const [index, { event }] of disk.pieces.entries()) {
    if (event.kind !== 'write' || best.fates[index] !== 'lost') continue;
    for (let keepTo = event.bytes.length - 1; keepTo > 0 && hasTime(); keepTo >>>= 1) {
      const torn = { keepFrom: 0, keepTo, fill: 'short' } as const;
      if (await attempt(best.fates.map((fate, at) => (at === index ? torn : fate)))) break;
    }
  }
  return best;
}
