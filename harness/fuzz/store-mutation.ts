import { MARK_FILE } from '../../src/engine/lock/durable-mark.ts';
import { LOCK_FILE } from '../../src/engine/lock/writer-lock.ts';
import type { FixtureFiles } from '../corpus/fixture.ts';
import type { Prng } from '../prng.ts';
import { mutateBytes, pick, writeInteger } from './byte-mutation.ts';
import { mendFrames, mendSeal, mendSlots } from './checksum-mending.ts';

/** Names that mean something to an opening, or nearly do. */
const NAMES = [
  '00000001.dwal',
  '00000002.dwal',
  '00000003.dwal',
  '00000005.dwal',
  '99999999.dwal',
  '00000000.dwal',
  '0000001.dwal',
  '000000001.dwal',
  '00000001.DWAL',
  '00000001.seal',
  '00000002.seal',
  '99999998.seal',
  '00000001.merge',
  '00000002.merge',
  '00000003.merge',
  '00000002.merge-tmp',
  '00000002.merge.tmp',
  '00000001.seal.tmp',
  '.lock',
  'durable-mark',
  'quarantine',
  '..dwal',
  ' ',
  '\u202e.seal',
  '-rf',
] as const;

/** Places of integers in a seal header, in a slot and in the fixed part of a mark's body. */
const SEAL_FIELDS = [8, 12, 32, 40, 48, 56, 168, 176];
const SLOT_FIELDS = [4, 6, 8];
const MARK_FIELDS = [16 + 32, 16 + 36, 16 + 44, 16 + 52];
const FRAME_FIELDS = [4, 6, 7, 8, 16, 20];
const HINT_FIELDS = [0, 4, 8, 12, 16];

/** What stands in owner records, and what does not. */
const JSON_VALUES = [
  'null',
  '[]',
  '""',
  '-1',
  '0',
  '1e999',
  '{}',
  '"../../x"',
  'true',
  '{"a":',
  '9007199254740993',
];

/**
 * A directory with one to four changes, most of them with the checksums behind them made right
 * again.
 */
export function mutateStore(prng: Prng, files: FixtureFiles, other: FixtureFiles): FixtureFiles {
  const mutated = new Map(files);
  for (let changes = 1 + prng.below(4); changes > 0; changes--) {
    if (mutated.size === 0 || prng.below(8) === 0) changeNames(prng, mutated, other);
    else mutateFile(prng, mutated, pick(prng, [...mutated.keys()]), other);
  }
  return mutated;
}

function changeNames(prng: Prng, files: Map<string, Uint8Array>, other: FixtureFiles): void {
  const name = pick(prng, [...files.keys(), ...NAMES]);
  const bytes = files.get(name) ?? pick(prng, [...other.values(), new Uint8Array()]);
  switch (prng.below(3)) {
    case 0:
      files.delete(name);
      return;
    case 1:
      files.delete(name);
      files.set(pick(prng, NAMES), bytes);
      return;
    default:
      files.set(pick(prng, NAMES), bytes);
  }
}

function mutateFile(
  prng: Prng,
  files: Map<string, Uint8Array>,
  name: string,
  other: FixtureFiles,
): void {
  const input = files.get(name) as Uint8Array;
  const donor = other.get(name) ?? pick(prng, [...other.values(), input]);
  files.set(name, mutateNamed(prng, files, name, input, donor));
}

/** Changes the content of a file as its name says what it is. */
export function mutateNamed(
  prng: Prng,
  files: FixtureFiles,
  name: string,
  input: Uint8Array,
  donor: Uint8Array,
): Buffer {
  const mends = prng.below(4) !== 0;
  if (/\.(?:seal|merge)$/.test(name)) {
    const bytes = mutateSeal(prng, input, donor);
    const segment = files.get(`${name.slice(0, 8)}.dwal`);
    return mends ? mendSeal(bytes, prng.below(2) === 0 ? segment : undefined) : bytes;
  }
  if (name === MARK_FILE) {
    const bytes = mutateFields(prng, input, donor, prng.below(2) * 4096, [
      ...SLOT_FIELDS,
      ...MARK_FIELDS,
    ]);
    return mends ? mendSlots(bytes) : bytes;
  }
  if (name === LOCK_FILE) {
    const bytes = mutateOwner(prng, input, donor);
    return mends ? mendSlots(bytes) : bytes;
  }
  const bytes = mutateFields(prng, input, donor, frameStart(prng, input), FRAME_FIELDS);
  return mends ? mendFrames(bytes) : bytes;
}

function mutateFields(
  prng: Prng,
  input: Uint8Array,
  donor: Uint8Array,
  start: number,
  fields: readonly number[],
): Buffer {
  if (prng.below(2) === 0 || start >= input.length) return mutateBytes(prng, input, donor);
  const bytes = Buffer.from(input);
  const at = Math.min(start + pick(prng, fields), bytes.length - 1);
  if (prng.below(2) === 0) writeInteger(prng, bytes, at);
  else bytes[at] = (bytes[at] as number) + (prng.below(2) === 0 ? 1 : 255);
  return bytes;
}

function mutateSeal(prng: Prng, input: Uint8Array, donor: Uint8Array): Buffer {
  if (prng.below(2) === 0) return mutateFields(prng, input, donor, 0, SEAL_FIELDS);
  const hints = input.length - 188;
  const start = hints > 24 ? 188 + 4 * prng.below(Math.floor((hints - 24) / 4)) : 188;
  return mutateFields(prng, input, donor, start, HINT_FIELDS);
}

/** One value in the JSON text of a slot becomes another; its length field follows. */
function mutateOwner(prng: Prng, input: Uint8Array, donor: Uint8Array): Buffer {
  const bytes = Buffer.from(input);
  const start = prng.below(2) * 4096;
  if (prng.below(3) === 0 || bytes.length < start + 18) {
    return mutateFields(prng, input, donor, start, SLOT_FIELDS);
  }
  const text = bytes.toString(
    'utf8',
    start + 16,
    Math.min(start + 16 + bytes.readUInt16LE(start + 6), bytes.length),
  );
  const value = pick(prng, JSON_VALUES);
  const fields = [...text.matchAll(/:("[^"]*"|[^,{}"]+)/g)];
  const field = fields.length === 0 ? undefined : pick(prng, fields);
  const changed =
    field === undefined || prng.below(4) === 0
      ? value
      : `${text.slice(0, field.index)}:${value}${text.slice(field.index + field[0].length)}`;
  const body = Buffer.from(changed).subarray(0, 4000);
  const result = Buffer.alloc(Math.max(bytes.length, start + 4096));
  bytes.copy(result);
  result.fill(0, start + 16, start + 4096);
  result.writeUInt16LE(body.length, start + 6);
  body.copy(result, start + 16);
  return result;
}

function frameStart(prng: Prng, bytes: Uint8Array): number {
  const starts: number[] = [];
  const whole = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = whole.indexOf('DWAL'); at !== -1; at = whole.indexOf('DWAL', at + 1))
    starts.push(at);
  return starts.length === 0 ? 0 : pick(prng, starts);
}
