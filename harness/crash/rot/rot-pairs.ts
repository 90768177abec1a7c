import { parseSealName } from '../../../src/engine/seal/seal-file.ts';
import type { FixtureFiles } from '../../corpus/fixture.ts';
import { Prng } from '../../prng.ts';
import { frameEnds } from './rot-frames.ts';
import type { PairMoment, PairSubject } from './rot-pair-subjects.ts';
import { segmentNames } from './rot-subject.ts';

/** What was done to a segment and to its seal, or to several segments at once. */
export interface RotPair {
  readonly row: string;
  readonly what: string;
  readonly files: FixtureFiles;
  /** Only what no segment needs is damaged: it must open, with everything. */
  readonly mustOpen: boolean;
  /** It must show a state from here on. */
  readonly durable: number;
  /** A copy of a store that went on: it may show an earlier state, and need not say so. */
  readonly isCopy: boolean;
}

/** One way to damage a file; undefined takes it away. */
interface Change {
  readonly how: string;
  readonly bytes: Uint8Array | undefined;
}

/** Every damage of each segment, times every damage of its seal. */
export function* pairsOf(subject: PairSubject): Generator<RotPair> {
  const { files, durable } = subject;
  for (const name of segmentNames(files)) {
    const segmentBytes = files.get(name) as Uint8Array;
    const sealName = `${name.slice(0, 8)}.seal`;
    const isAbsorbed = isAbsorbedIn(files, name);
    const unharmed: Change = { how: 'as it was', bytes: segmentBytes };
    for (const segment of [unharmed, ...segmentChanges(subject, name)]) {
      for (const seal of [
        { how: 'as it was', bytes: files.get(sealName) },
        ...sealChanges(subject, sealName),
      ]) {
        if (segment === unharmed && seal.how === 'as it was') continue;
        // A merge that was killed: only this seal says that lower segments count no more.
        const isNeeded = seal.how !== 'as it was' && coversBytes(files, sealName);
        const isEarlierSeal = seal.how.startsWith('of an earlier');
        // What a merge has absorbed may still stand there, wholly or in part.
        const isHarmless =
          segment === unharmed || (isAbsorbed && segment.how.startsWith('of an earlier'));
        yield {
          row: `segment ${rowOf(segment)}, seal ${rowOf(seal)}`,
          what: `${name} ${segment.how}, ${sealName} ${seal.how}`,
          files: changed(changed(files, name, segment.bytes), sealName, seal.bytes),
          mustOpen: isHarmless && !isEarlierSeal && !isNeeded,
          durable,
          isCopy: false,
        };
      }
    }
  }
}

/** The first, the last and all of the segments that are final, with their seals and without. */
export function* removals({ files, durable }: PairSubject): Generator<RotPair> {
  const names = segmentNames(files).slice(0, -1);
  for (let from = 0; from < names.length; from++) {
    for (let to = from + 1; to <= names.length; to++) {
      for (const how of ['removed', 'emptied']) {
        for (const seals of ['kept', 'removed']) {
          let left = files;
          for (const name of names.slice(from, to)) {
            left = changed(left, name, how === 'removed' ? undefined : Buffer.alloc(0));
            if (seals === 'removed') left = changed(left, `${name.slice(0, 8)}.seal`, undefined);
          }
          yield {
            row: `a run of segments ${how}, seals ${seals}`,
            what: names.slice(from, to).join(),
            files: left,
            mustOpen: false,
            durable,
            isCopy: false,
          };
        }
      }
    }
  }
}

/**
 * Copies of a store that goes on writing and merging, made one file after the other: the names are
 * read at once, in no order, and then each file as it is by then.
 */
export function* copies(
  { moments }: PairSubject,
  seed: number,
  samples: number,
): Generator<RotPair> {
  const prng = Prng.seeded(seed);
  const firstAt = moments.findIndex(({ written }) => written > 0);
  for (let sample = 0; sample < samples; sample++) {
    let at = firstAt + prng.below(moments.length - firstAt);
    const { files: atFirst, durable } = moments[at] as PairMoment;
    const files = new Map<string, Uint8Array>();
    const pace = 1 + prng.below(40);
    const names = [...atFirst.keys()];
    for (let left = names.length; left > 0; left--) {
      const [name] = names.splice(prng.below(left), 1) as [string];
      at = Math.min(moments.length - 1, at + prng.below(pace));
      const bytes = (moments[at] as PairMoment).files.get(name);
      if (bytes !== undefined) files.set(name, bytes);
    }
    yield {
      row: 'copy of a merging store, file by file',
      what: `sample ${sample} of seed ${seed}`,
      files,
      mustOpen: false,
      durable,
      isCopy: true,
    };
  }
}

function* segmentChanges(subject: PairSubject, name: string): Generator<Change> {
  const bytes = subject.files.get(name) as Uint8Array;
  for (const end of [0, ...frameEnds(bytes)]) {
    if (end >= bytes.length) continue;
    yield { how: end === 0 ? 'emptied' : `cut at ${end}`, bytes: bytes.subarray(0, end) };
  }
  yield { how: 'deleted', bytes: undefined };
  yield* earlier(subject, name, frameEnds);
  for (const other of segmentNames(subject.files)) {
    const theirs = subject.files.get(other) as Uint8Array;
    if (other !== name && theirs.length > 0 && !Buffer.from(theirs).equals(bytes))
      yield { how: `replaced by ${other}`, bytes: theirs };
  }
}

function* sealChanges(subject: PairSubject, name: string): Generator<Change> {
  const bytes = subject.files.get(name);
  if (bytes !== undefined) {
    yield { how: 'gone', bytes: undefined };
    const damaged = Buffer.from(bytes);
    damaged[bytes.length >> 1] = (damaged[bytes.length >> 1] as number) ^ 0x10;
    yield { how: 'damaged', bytes: damaged };
  }
  yield* earlier(subject, name, () => []);
}

/** Versions that are no beginnings of the present one: those are cuts. */
function* earlier(
  { files, moments }: PairSubject,
  name: string,
  boundaries: (bytes: Uint8Array) => readonly number[],
): Generator<Change> {
  const now = files.get(name);
  const seen = new Set<string>([text(now)]);
  const cuts = now === undefined ? [] : [0, ...boundaries(now)];
  for (const cut of cuts) if (now !== undefined) seen.add(text(now.subarray(0, cut)));
  for (const [at, moment] of moments.entries()) {
    const bytes = moment.files.get(name);
    if (bytes === undefined || seen.has(text(bytes))) continue;
    seen.add(text(bytes));
    yield { how: `of an earlier moment, ${at}`, bytes };
  }
}

/** Has a seal with a higher id this segment in its range? */
function isAbsorbedIn(files: FixtureFiles, segment: string): boolean {
  const id = Number(segment.slice(0, 8));
  return [...files].some(([name, bytes]) => {
    const sealId = parseSealName(name);
    return sealId !== undefined && sealId > id && Buffer.from(bytes).readUInt32LE(12) <= id;
  });
}

/** Are there segments in the range of a seal, beside its own, that hold anything or have seals? */
function coversBytes(files: FixtureFiles, seal: string): boolean {
  const bytes = files.get(seal);
  if (bytes === undefined) return false;
  const firstId = Buffer.from(bytes).readUInt32LE(12);
  return segmentNames(files).some((name) => {
    const id = Number(name.slice(0, 8));
    const holds = files.get(name)?.length !== 0 || files.has(`${name.slice(0, 8)}.seal`);
    return id >= firstId && id < Number(seal.slice(0, 8)) && holds;
  });
}

function rowOf({ how }: Change): string {
  return how.replace(/( at| by|, ).*$/, '');
}

function changed(files: FixtureFiles, name: string, bytes: Uint8Array | undefined): FixtureFiles {
  const copy = new Map(files);
  if (bytes === undefined) copy.delete(name);
  else copy.set(name, bytes);
  return copy;
}

function text(bytes: Uint8Array | undefined): string {
  return bytes === undefined ? 'none' : Buffer.from(bytes).toString('latin1');
}
