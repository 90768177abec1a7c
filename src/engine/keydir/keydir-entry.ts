import { HINT_BYTES, HINT_HASH, HINT_KEY_LENGTH } from '../seal/hint-block.ts';
import type { FrameRef } from '../segment/segment-files.ts';

/**
 * An entry of the keydir is a record's place (`FrameRef`) and its key, side by side in words of 32
 * bits:
 *
 *     hash | file + offset bits 32..36 | offset bits 0..31 | byteLength + offset bits 37..41 | keyLength | key
 *
 * The key is padded with zeros to whole words.
 */
export const ENTRY_WORDS = 5;
export const HASH = 0;
export const FILE = 1;
export const OFFSET = 2;
export const LENGTH = 3;
export const KEY_LENGTH = 4;

/** Set in the key length of an entry that was deleted and waits for the arena to be compacted. */
export const DEAD = 0x8000_0000;

/**
 * File numbers and frame lengths both fit in 27 bits; the five above them extend the offset to 42
 * (`MAX_SEGMENT_FILE_BYTES`).
 */
const LOW_27 = 0x07ff_ffff;
const FIVE_BITS = 0x1f;
const TWO_TO_32 = 2 ** 32;
const TWO_TO_37 = 2 ** 37;

/** The order in which the bytes of a key stand in words. */
const IS_LITTLE_ENDIAN = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1;

/** Where a record lies, in an object that is filled again by the next lookup. */
export type MutableFrameRef = { -readonly [Field in keyof FrameRef]: FrameRef[Field] };

/** What an entry takes. */
export function entryWords(keyLength: number): number {
  return ENTRY_WORDS + ((keyLength + 3) >>> 2);
}

export function readPlace(words: Uint32Array, at: number, into: MutableFrameRef): void {
  const file = words[at + FILE] as number;
  const length = words[at + LENGTH] as number;
  into.file = file & LOW_27;
  into.byteLength = length & LOW_27;
  into.offset =
    (words[at + OFFSET] as number) + (file >>> 27) * TWO_TO_32 + (length >>> 27) * TWO_TO_37;
}

export function writePlace(
  words: Uint32Array,
  at: number,
  file: number,
  offset: number,
  byteLength: number,
): void {
  words[at + FILE] = file | fileBitsOf(offset);
  words[at + OFFSET] = offset;
  words[at + LENGTH] = byteLength | lengthBitsOf(offset);
}

export function fileOf(words: Uint32Array, at: number): number {
  return (words[at + FILE] as number) & LOW_27;
}

export function byteLengthOf(words: Uint32Array, at: number): number {
  return (words[at + LENGTH] as number) & LOW_27;
}

/** The upper bits of an offset, as they stand beside the file and beside the length. */
export function fileBitsOf(offset: number): number {
  return (Math.floor(offset / TWO_TO_32) & FIVE_BITS) << 27;
}

export function lengthBitsOf(offset: number): number {
  return (Math.floor(offset / TWO_TO_32) >>> 5) << 27;
}

/** Is the entry there one of the key of the hint at `start`? Both are padded in the same way. */
export function isEntryOfHint(
  words: Uint32Array,
  at: number,
  view: DataView,
  start: number,
): boolean {
  const keyLength = view.getUint32(start + HINT_KEY_LENGTH, true) >>> 1;
  if (words[at + HASH] !== view.getUint32(start + HINT_HASH, true)) return false;
  if (words[at + KEY_LENGTH] !== keyLength) return false;
  const end = at + entryWords(keyLength);
  for (let word = at + ENTRY_WORDS, key = start + HINT_BYTES; word < end; word++, key += 4) {
    if (words[word] !== view.getUint32(key, IS_LITTLE_ENDIAN)) return false;
  }
  return true;
}

/** Writes an entry for the key of the hint at `start`, without its place. Returns where it ends. */
export function writeEntryOfHint(
  words: Uint32Array,
  at: number,
  view: DataView,
  start: number,
): number {
  const keyLength = view.getUint32(start + HINT_KEY_LENGTH, true) >>> 1;
  words[at + HASH] = view.getUint32(start + HINT_HASH, true);
  words[at + KEY_LENGTH] = keyLength;
  const end = at + entryWords(keyLength);
  for (let word = at + ENTRY_WORDS, key = start + HINT_BYTES; word < end; word++, key += 4) {
    words[word] = view.getUint32(key, IS_LITTLE_ENDIAN);
  }
  return end;
}
