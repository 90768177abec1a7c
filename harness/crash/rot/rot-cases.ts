import { segmentName } from '../../../src/engine/format/segment-name.ts';
import { SLOT_BYTES, SLOT_COUNT } from '../../../src/engine/format/slot-file.ts';
import { MARK_FILE } from '../../../src/engine/lock/durable-mark.ts';
import { LOCK_FILE } from '../../../src/engine/lock/writer-lock.ts';
import { SEAL_SUFFIX } from '../../../src/engine/seal/seal-file.ts';
import type { FixtureFiles } from '../../corpus/fixture.ts';
import { putFrame } from '../../corpus/log-image.ts';
import { datawalLockFile } from '../../corpus/sidecars.ts';
import { Prng } from '../../prng.ts';
import {
  type LiveMoment,
  type MadeStore,
  type RotRecord,
  type RotSubject,
  recordText,
  SIDECARS,
  segmentNames,
} from './rot-subject.ts';

/** One thing done to a store at rest. */
export interface RotCase {
  /** The same for all that were damaged the same way. */
  readonly row: string;
  readonly what: string;
  readonly files: FixtureFiles;
  /** What the log held before, or holds now, in order. */
  readonly records: readonly RotRecord[];
  /** When it opens, it shows at least so many of them. */
  readonly least: number;
  /** The data is whole: it must open. */
  readonly mustOpen: boolean;
  /** Only a seal file could tell, and there is none: what is shown need not be a prefix. */
  readonly needsSeal: boolean;
}

/** A single bit of each byte of every segment after the other. */
export function* flips(subject: RotSubject, bits: readonly number[]): Generator<RotCase> {
  for (const name of segmentNames(subject.files)) {
    const bytes = subject.files.get(name) as Buffer;
    for (let offset = 0; offset < bytes.length; offset++) {
      for (const bit of bits) {
        yield damaged(
          subject,
          'bit flipped',
          `${name}:${offset} bit ${bit}`,
          name,
          flipped(bytes, offset, bit),
        );
      }
    }
  }
}

/** Every segment cut at every frame boundary. */
export function* cuts(subject: RotSubject): Generator<RotCase> {
  const last = lastWithBytes(subject.files);
  for (const { segmentId, offset } of subject.records) {
    const name = segmentName(segmentId);
    const bytes = subject.files.get(name) as Buffer;
    const row = name === last ? 'last segment cut at a frame' : 'sealed segment cut at a frame';
    const cut = damaged(subject, row, `${name} at ${offset}`, name, bytes.subarray(0, offset));
    // The txids that are missing then may as well have been set aside by an opening.
    yield { ...cut, needsSeal: name !== last && !isSealed(subject.files, name) };
  }
}

/**
 * Segments removed, exchanged, copied over others and behind the last, and put in from another
 * store.
 */
export function* misplacements(subject: RotSubject, other: RotSubject): Generator<RotCase> {
  const names = segmentNames(subject.files);
  const change = (row: string, what: string, files: FixtureFiles, needsSeal = false): RotCase => ({
    row,
    what,
    files,
    records: subject.records,
    least: subject.durableRecords,
    mustOpen: false,
    needsSeal,
  });
  for (const [index, name] of names.entries()) {
    const bytes = subject.files.get(name) as Buffer;
    // A log begins at the lowest id that is there, whichever that is.
    const isFirstOfMore = index === 0 && names.length > 1;
    const removedRow = isFirstOfMore ? 'first segment removed' : 'segment removed';
    const second = names[1];
    const tells = second !== undefined && isSealed(subject.files, second);
    yield change(removedRow, name, without(subject.files, name), isFirstOfMore && !tells);
    const next = segmentName(Number.parseInt(names.at(-1) as string, 10) + 1);
    yield change('segment copied behind the last', name, withFile(subject.files, next, bytes));
    for (const target of names) {
      if (target === name) continue;
      const replaced = subject.files.get(target) as Buffer;
      yield change(
        'segment copied over another',
        `${name} over ${target}`,
        withFile(subject.files, target, bytes),
      );
      if (target > name) {
        const exchanged = withFile(withFile(subject.files, target, bytes), name, replaced);
        yield change('segments exchanged', `${name} and ${target}`, exchanged);
      }
    }
    const foreign = other.files.get(name);
    if (foreign === undefined) continue;
    const replaced = withFile(subject.files, name, foreign);
    yield change('segment of another store', name, replaced, !isSealed(subject.files, name));
    const seal = other.files.get(sealName(name));
    if (seal === undefined) continue;
    const both = withFile(replaced, sealName(name), seal);
    yield change('segment of another store, with its seal', name, both, true);
  }
}

/** The data is whole, and what lies beside it is damaged, gone, or of another time or store. */
export function* sidecarDamage(
  subject: RotSubject,
  other: RotSubject,
  bits: readonly number[],
): Generator<RotCase> {
  const whole = (row: string, what: string, files: FixtureFiles): RotCase => ({
    row,
    what,
    files,
    records: subject.records,
    least: subject.records.length,
    mustOpen: true,
    needsSeal: false,
  });
  for (const name of sidecarNames(subject.files)) {
    const bytes = subject.files.get(name) as Buffer;
    for (const offset of name.endsWith(SEAL_SUFFIX) ? bytes.keys() : worthFlipping(bytes)) {
      for (const bit of bits) {
        const files = withFile(subject.files, name, flipped(bytes, offset, bit));
        yield whole('sidecar bit flipped', `${name}:${offset} bit ${bit}`, files);
      }
    }
    for (const sizeBytes of [0, 1, 100, SLOT_BYTES, SLOT_BYTES + 20]) {
      const cut = withFile(subject.files, name, bytes.subarray(0, sizeBytes));
      yield whole('sidecar cut', `${name} to ${sizeBytes}`, cut);
    }
    yield whole('sidecar removed', name, without(subject.files, name));
    yield whole(
      'sidecar all zeros',
      name,
      withFile(subject.files, name, Buffer.alloc(bytes.length)),
    );
    const theirs = other.files.get(name);
    if (theirs === undefined) continue;
    const lied = withFile(subject.files, name, theirs);
    yield { ...whole('sidecar of another store', name, lied), mustOpen: false };
  }
  yield whole(
    'sidecars removed',
    'mark and lock',
    without(without(subject.files, MARK_FILE), LOCK_FILE),
  );
  const segments = segmentNames(subject.files);
  const bare = new Map([...subject.files].filter(([name]) => segments.includes(name)));
  yield whole('sidecars removed', 'all', bare);
}

/**
 * Both sidecars, or one of them, as they were at every earlier moment. From an earlier opening they
 * may keep the store from opening, but never make it give up records that are durable by now.
 */
export function* agedSidecars(
  subject: RotSubject,
  moments: readonly LiveMoment[],
  isSameOpening: boolean,
): Generator<RotCase> {
  for (const [at, moment] of moments.entries()) {
    for (const names of [[MARK_FILE], [LOCK_FILE], SIDECARS]) {
      let files = subject.files;
      for (const name of names) files = withFile(files, name, moment.files.get(name) as Buffer);
      yield {
        row: isSameOpening ? 'sidecars of an earlier moment' : 'sidecars of an earlier opening',
        what: `${names.join(' and ')} of moment ${at}`,
        files,
        records: subject.records,
        least: subject.records.length,
        mustOpen: isSameOpening,
        needsSeal: false,
      };
    }
  }
}

/** Copies of the living store: all files at one moment, and each at one of its own. */
export function* liveCopies(
  { closed, moments }: MadeStore,
  seed: number,
  samples: number,
): Generator<RotCase> {
  const copy = (
    row: string,
    what: string,
    files: FixtureFiles,
    least: number,
    mustOpen: boolean,
  ): RotCase => ({
    row,
    what,
    files,
    records: closed.records,
    least,
    mustOpen,
    needsSeal: !mustOpen && hasShortSealed(files, closed.files),
  });
  for (const [at, { files, durable }] of moments.entries()) {
    yield copy('copy of a living store', `at moment ${at}`, files, durable, true);
  }
  const prng = Prng.seeded(seed);
  for (let sample = 0; sample < samples; sample++) {
    const files = new Map<string, Uint8Array>();
    let at = 0;
    // As `cp -r` goes through a directory: one file after the other, while the store goes on.
    for (const name of [...closed.files.keys()].sort()) {
      at = Math.min(moments.length - 1, at + prng.below(4));
      const bytes = (moments[at] as LiveMoment).files.get(name);
      if (bytes !== undefined) files.set(name, bytes);
    }
    yield copy(
      'copy of a living store, file by file',
      `sample ${sample} of seed ${seed}`,
      files,
      0,
      false,
    );
  }
}

/**
 * Another writer, which knows nothing of sidecars, appended after we had gone; then nothing, or one
 * bit of each byte, is damaged.
 */
export function* foreignAppends(subject: RotSubject): Generator<RotCase> {
  const name = lastWithBytes(subject.files) as string;
  const segmentId = Number.parseInt(name, 10);
  const lastTxid = Number.parseInt((subject.records.at(-1) as RotRecord).text, 10);
  let bytes = subject.files.get(name) as Buffer;
  const records = [...subject.records];
  for (let count = 1; count <= 3; count++) {
    const [key, value] = [`key-${count}`, `foreign ${count}`];
    const frame = putFrame(lastTxid + count, key, value);
    const text = recordText({
      type: 1,
      txid: lastTxid + count,
      key: Buffer.from(key),
      payload: Buffer.from(value),
    });
    records.push({ segmentId, offset: bytes.length, byteLength: frame.length, text });
    bytes = Buffer.concat([bytes, frame]);
  }
  const files = withFile(withFile(subject.files, name, bytes), LOCK_FILE, datawalLockFile());
  const appended = { ...subject, files, records };
  yield {
    row: 'appended to by another writer',
    what: 'three records',
    files,
    records,
    least: records.length,
    mustOpen: true,
    needsSeal: false,
  };
  for (const flip of flips(appended, [0, 7]))
    yield { ...flip, row: 'appended to by another writer, bit flipped' };
}

function damaged(
  subject: RotSubject,
  row: string,
  what: string,
  name: string,
  bytes: Buffer,
): RotCase {
  return {
    row,
    what,
    files: withFile(subject.files, name, bytes),
    records: subject.records,
    least: subject.durableRecords,
    mustOpen: false,
    needsSeal: false,
  };
}

function flipped(bytes: Buffer, offset: number, bit: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[offset] = (copy[offset] as number) ^ (1 << bit);
  return copy;
}

/** Everything that is written in a file of slots, and a byte now and then of what is not. */
function worthFlipping(bytes: Buffer): number[] {
  const offsets: number[] = [];
  for (let slot = 0; slot < SLOT_COUNT; slot++) {
    const start = slot * SLOT_BYTES;
    const end = Math.min(start + SLOT_BYTES, bytes.length);
    let used = end;
    while (used > start && bytes[used - 1] === 0) used--;
    for (let offset = start; offset < used; offset++) offsets.push(offset);
    for (let offset = used; offset < end; offset += 511) offsets.push(offset);
  }
  return offsets;
}

function lastWithBytes(files: FixtureFiles): string | undefined {
  return segmentNames(files).findLast((name) => (files.get(name) as Uint8Array).length > 0);
}

/** Is a segment that has another behind it shorter than it became in the end? */
function hasShortSealed(files: FixtureFiles, whole: FixtureFiles): boolean {
  return segmentNames(files)
    .slice(0, -1)
    .some((name) => files.get(name)?.length !== whole.get(name)?.length);
}

function sealName(segment: string): string {
  return segment.slice(0, 8) + SEAL_SUFFIX;
}

function isSealed(files: FixtureFiles, segment: string): boolean {
  return files.has(sealName(segment));
}

function sidecarNames(files: FixtureFiles): string[] {
  return [...SIDECARS, ...[...files.keys()].filter((name) => name.endsWith(SEAL_SUFFIX))];
}

function withFile(files: FixtureFiles, name: string, bytes: Uint8Array): FixtureFiles {
  return new Map([...files, [name, bytes]]);
}

function without(files: FixtureFiles, name: string): FixtureFiles {
  return new Map([...files].filter(([other]) => other !== name));
}
