import { type DiskImage, EMPTY_DISK } from '../../file-systems/disk-image.ts';
import { mix32, Prng } from '../../prng.ts';
import { DiskModel } from '../disk/disk-model.ts';
import { type Expectation, expectMore, NOTHING_EXPECTED } from '../promises/expectation.ts';
import { brokenBy, type InvariantBroken } from '../promises/invariants.ts';
import { crashImages, type ImageBudget, imageDigest } from './crash-images.ts';
import type { RecordedWorkload } from './crash-workload.ts';
import { ImageCheck, type ImageCheckOptions, type Recovered } from './image-check.ts';
import { recordRecovery } from './nested-crash.ts';
import type { StateEvent } from './state-event.ts';

export interface CrashFinding {
  readonly broken: InvariantBroken;
  readonly image: DiskImage;
  /** Event of the trace before which the power went. */
  readonly at: number;
  readonly depth: 1 | 2;
}

export interface CrashStateCounts {
  /** Images built. */
  images: number;
  /** Distinct ones, each opened. */
  states: number;
  /** How many of those are images of a crash in the recovery from another. */
  nestedStates: number;
  /** How many of those were opened as real files, too. */
  onDisk: number;
}

export interface CrashStateOptions {
  /** Decides on the samples, an integer from 0 to 2^32 - 1. */
  readonly seed: number;
  readonly budget: ImageBudget;
  /**
   * One state in so many is crashed again while it recovers: of those in which something is cut
   * off, and of the others.
   */
  readonly nestOneIn: { readonly cut: number; readonly whole: number };
  /** One state in so many is also opened by a reader, and closed in order. */
  readonly otherwiseOneIn: number;
  /**
   * One state in so many is also opened as real files, in a directory of its own under this one.
   */
  readonly onDisk: { readonly oneIn: number; readonly parent: string } | undefined;
  readonly counts: CrashStateCounts;
}

/**
 * Opens every image that a power cut during the workload may leave; yields what breaks an
 * invariant, and undefined after each image, so that whoever runs it can stop.
 */
export function crashStates(
  { trace, history }: RecordedWorkload,
  options: CrashStateOptions,
): AsyncGenerator<CrashFinding | undefined, void, void> {
  const check = { history, prefixInvariant: 'I1', quarantined: new Map() } as const;
  return enumerate({ image: EMPTY_DISK, inodes: new Map() }, trace, check, options);
}

/** Where a trace begins. */
interface Beginning {
  readonly image: DiskImage;
  readonly inodes: ReadonlyMap<string, number>;
  /** The event of the workload at which the crash came whose recovery this is. */
  readonly crashedAt?: number;
}

/**
 * An image that was opened. Later moments may leave it too, and then more may have been promised.
 */
interface OpenedImage {
  /** Undefined when opening it broke an invariant. */
  recovered: Recovered | undefined;
  judgedFor: Expectation;
}

async function* enumerate(
  beginning: Beginning,
  trace: readonly StateEvent[],
  checkOptions: ImageCheckOptions,
  options: CrashStateOptions,
): AsyncGenerator<CrashFinding | undefined, void, void> {
  const { counts } = options;
  const { crashedAt } = beginning;
  const check = new ImageCheck(checkOptions);
  const opened = new Map<string, OpenedImage>();
  for (const { at, image, expected, prng } of imagesOf(beginning, trace, options)) {
    counts.images++;
    const digest = imageDigest(image);
    const known = opened.get(digest);
    if (known?.judgedFor === expected) continue;
    try {
      if (known !== undefined) {
        known.judgedFor = expected;
        if (known.recovered !== undefined) await check.judge(known.recovered, image, expected);
        continue;
      }
      counts.states++;
      if (crashedAt !== undefined) counts.nestedStates++;
      const entry: OpenedImage = { recovered: undefined, judgedFor: expected };
      opened.set(digest, entry);
      entry.recovered = await check.recover(image);
      await check.judge(entry.recovered, image, expected);
      await checkOtherwise(check, image, entry.recovered, prng, options);
      const { cut, whole } = options.nestOneIn;
      const nestOneIn = entry.recovered.hasDiscarded ? cut : whole;
      if (crashedAt === undefined && prng.below(nestOneIn) === 0) {
        const recovery = await recordRecovery(
          image,
          entry.recovered.state,
          checkOptions.history,
          prng,
        );
        const { history, quarantined, inodes } = recovery;
        yield* enumerate(
          { image, inodes, crashedAt: at },
          recovery.trace,
          { history, prefixInvariant: 'I6', quarantined },
          { ...options, seed: prng.nextUint32() },
        );
      }
      yield undefined;
    } catch (error) {
      yield {
        broken: brokenBy(error),
        image,
        at: crashedAt ?? at,
        depth: crashedAt === undefined ? 1 : 2,
      };
    }
  }
}

/** What is too slow to be asked of every state. */
async function checkOtherwise(
  check: ImageCheck,
  image: DiskImage,
  recovered: Recovered,
  prng: Prng,
  { otherwiseOneIn, onDisk, counts }: CrashStateOptions,
): Promise<void> {
  if (prng.below(otherwiseOneIn) === 0) {
    await check.checkReader(image, recovered.state);
    await check.checkClosing(image);
  }
  if (onDisk !== undefined && prng.below(onDisk.oneIn) === 0) {
    counts.onDisk++;
    await check.checkOnDisk(image, recovered, onDisk.parent);
  }
}

/**
 * The images of every moment at which the most is unsynced: just before a sync returns, and at the
 * end. Each moment has a stream of its own, so that what one looks like decides nothing about
 * another.
 */
function* imagesOf(
  { image: first, inodes }: Beginning,
  trace: readonly StateEvent[],
  { seed, budget }: CrashStateOptions,
): Generator<{ at: number; image: DiskImage; expected: Expectation; prng: Prng }> {
  const disk = new DiskModel(first, (path) => inodes.get(path) as number);
  let expected = NOTHING_EXPECTED;
  for (let at = 0; at <= trace.length; at++) {
    const event = trace[at];
    if (event === undefined || event.kind === 'dataSync' || event.kind === 'directorySync') {
      const prng = Prng.seeded(mix32(seed ^ mix32(at)));
      for (const image of crashImages(disk, prng, budget)) yield { at, image, expected, prng };
    }
    if (event === undefined) return;
    if (event.kind === 'expect') expected = expectMore(expected, event.more);
    else {
      disk.advance(event, at);
      if (expected.closed && !event.kind.endsWith('Sync'))
        expected = expectMore(expected, { closed: false });
    }
  }
}
