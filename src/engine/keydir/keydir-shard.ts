import { handedOut } from '../host/handed-out.ts';
import {
  HINT_HASH,
  HINT_KEY_LENGTH,
  HINT_LENGTH,
  HINT_OFFSET,
  type HintRun,
} from '../seal/hint-block.ts';
import type { FrameRef } from '../segment/segment-files.ts';
import {
  byteLengthOf,
  DEAD,
  ENTRY_WORDS,
  entryWords,
  FILE,
  fileBitsOf,
  fileOf,
  HASH,
  isEntryOfHint,
  KEY_LENGTH,
  LENGTH,
  lengthBitsOf,
  type MutableFrameRef,
  OFFSET,
  readPlace,
  writeEntryOfHint,
  writePlace,
} from './keydir-entry.ts';

/**
 * One shard of the keydir: an open-addressing table over an arena of entries, all in typed arrays
 * outside the V8 heap. A slot of the table is one byte of the hash, which rules out nearly every
 * wrong entry without touching the arena, and 24 bits for the entry's place in it; so a hit costs
 * one line of the table and one of the arena. Deleting moves the slots behind it back, so that
 * lookups never walk over remains.
 */

export type EntryVisitor = (ref: FrameRef, bytes: Uint8Array, start: number, end: number) => void;

const POSITION_BITS = 24;
const POSITION_MASK = 2 ** POSITION_BITS - 1;
/** A slot has no room for a place behind these: 64 MiB. */
export const MAX_SHARD_WORDS = POSITION_MASK;

const FIRST_SLOTS = 8;
const FIRST_ARENA_WORDS = 64;
/** Slots in use of 8, at most. */
const FULL_EIGHTHS = 7;
/**
 * An arena doubles while it is small, and then grows by less: less to copy first, and less spare
 * room later.
 */
const SMALL_ARENA_WORDS = 1024;
const ARENA_GROWTH = 1.4;

/** Is told what a replay does to the bytes of files. */
export interface ReplayTally {
  putBytes: number;
  deleteBytes: number;
  /** A frame that was pointed to is no longer. */
  forget(file: number, byteLength: number): void;
}

export class KeydirShard {
  /** Live entries. */
  count = 0;
  /** 0 is free. */
  private slots = new Uint32Array(FIRST_SLOTS);
  private words = new Uint32Array(FIRST_ARENA_WORDS);
  private bytes = new Uint8Array(this.words.buffer);
  private usedWords = 0;
  private deadWords = 0;
  /**
   * What the first loads of `replay` came to, kept so that the compiler does not leave them out.
   */
  touched = 0;
  /** How far `insert`s that were made room for may reach. */
  private reservedEnd = 0;
  private readonly maxWords: number;

  constructor(maxWords = MAX_SHARD_WORDS) {
    this.maxWords = maxWords;
  }

  /** Bytes held, spare room included. */
  get sizeBytes(): number {
    return this.slots.byteLength + this.words.byteLength;
  }

  /** The slot of a key, or -1. */
  find(hash: number, key: Uint8Array, start: number, end: number): number {
    const { slots } = this;
    const mask = slots.length - 1;
    const tag = tagOf(hash);
    for (let index = hash & mask; ; index = (index + 1) & mask) {
      const slot = slots[index] as number;
      if (slot === 0) return -1;
      if (slot >>> POSITION_BITS === tag && this.isKey(slot & POSITION_MASK, hash, key, start, end))
        return index;
    }
  }

  read(slot: number, into: MutableFrameRef): void {
    readPlace(this.words, this.positionAt(slot), into);
  }

  /** Points the entry of a slot to another place. */
  update(slot: number, file: number, offset: number, byteLength: number): void {
    writePlace(this.words, this.positionAt(slot), file, offset, byteLength);
  }

  /**
   * Makes room for so many more entries of `words` in all, so that their `insert`s allocate nothing
   * and cannot fail.
   */
  reserve(entries: number, words: number): void {
    const count = this.count + entries;
    if (!holds(this.slots.length, count)) this.growTable(count);
    this.reservedEnd = this.usedWords + words;
    if (this.reservedEnd <= this.words.length) return;
    if (this.reservedEnd > this.maxWords) {
      this.makeRoomByCompacting(words);
      return;
    }
    const growth = this.words.length < SMALL_ARENA_WORDS ? 2 : ARENA_GROWTH;
    this.growArena(this.reservedEnd, this.words.length * growth);
  }

  /** The arena may not grow so far: what was deleted has to make room. */
  private makeRoomByCompacting(words: number): void {
    const live = this.usedWords - this.deadWords;
    if (live + words > this.maxWords) {
      this.reservedEnd = 0;
      throw new RangeError(`the keys of one shard may fill ${this.maxWords * 4} bytes`);
    }
    this.compactArena(this.slots.length);
  }

  /** The same, where `times` as much is expected in the end. */
  private reserveExpecting(entries: number, words: number, times: number): void {
    const count = this.count + entries;
    if (!holds(this.slots.length, count)) this.growTable(count * times);
    this.reservedEnd = this.usedWords + words;
    if (this.reservedEnd > this.words.length)
      this.growArena(this.reservedEnd, this.reservedEnd * times);
  }

  /** Adds a key that is not there, after `reserve`. */
  insert(
    hash: number,
    key: Uint8Array,
    start: number,
    end: number,
    file: number,
    offset: number,
    byteLength: number,
  ): void {
    const at = this.usedWords;
    const keyLength = end - start;
    this.usedWords += entryWords(keyLength);
    this.words[at + HASH] = hash;
    this.words[at + KEY_LENGTH] = keyLength;
    writePlace(this.words, at, file, offset, byteLength);
    const { bytes } = this;
    for (let index = 0, to = (at + ENTRY_WORDS) * 4; index < keyLength; index++) {
      bytes[to + index] = key[start + index] as number;
    }
    this.occupy(hash, at);
    this.count++;
  }

  remove(slot: number): void {
    this.bury(slot);
    this.compactIfDead();
  }

  /** Takes an entry out without moving others in the arena. */
  private bury(slot: number): void {
    const at = this.positionAt(slot);
    this.deadWords += entryWords(this.words[at + KEY_LENGTH] as number);
    this.words[at + KEY_LENGTH] = (this.words[at + KEY_LENGTH] as number) | DEAD;
    this.count--;
    this.vacate(slot);
  }

  private compactIfDead(): void {
    if (this.deadWords * 2 > this.usedWords && this.usedWords > FIRST_ARENA_WORDS)
      this.compact(this.slots.length);
  }

  private compact(slots: number): void {
    try {
      this.compactArena(slots);
    } catch (error) {
      // The log has the Delete, and it is done. A later one tries again, when there is memory.
      if (!(error instanceof RangeError)) throw error;
    }
  }

  /**
   * Replays hints of frames whose offsets lie between `base` and 2^32 above it; `times` as many are
   * expected in the end. The first loop only brings the lines of the table that the second one
   * needs into the processor's cache: its loads do not wait for each other.
   */
  replay(run: HintRun, file: number, base: number, times: number, tally: ReplayTally): void {
    const { view, starts, from, to } = run;
    // A hint has one word more before its key than an entry.
    const wantedWords = run.sizeBytes / 4 - (to - from);
    if (this.usedWords + wantedWords > this.maxWords) {
      this.replayOneByOne(run, file, base, tally);
      return;
    }
    this.reserveExpecting(to - from, wantedWords, times);
    const { slots, words } = this;
    const mask = slots.length - 1;
    let touched = 0;
    for (let index = from; index < to; index++) {
      touched ^= slots[
        view.getUint32((starts[index] as number) + HINT_HASH, true) & mask
      ] as number;
    }
    this.touched = touched;
    const fileWord = file | fileBitsOf(base);
    const lengthBits = lengthBitsOf(base);
    let { usedWords } = this;
    for (let index = from; index < to; index++) {
      const start = starts[index] as number;
      const hash = view.getUint32(start + HINT_HASH, true);
      const keyLengthAndType = view.getUint32(start + HINT_KEY_LENGTH, true);
      const byteLength = view.getUint32(start + HINT_LENGTH, true);
      const tag = tagOf(hash);
      let slot = hash & mask;
      let at = -1;
      for (let found = slots[slot] as number; found !== 0; found = slots[slot] as number) {
        const position = found & POSITION_MASK;
        if (found >>> POSITION_BITS === tag && isEntryOfHint(words, position, view, start)) {
          at = position;
          break;
        }
        slot = (slot + 1) & mask;
      }
      if (at !== -1) tally.forget(fileOf(words, at), byteLengthOf(words, at));
      if ((keyLengthAndType & 1) === 1) {
        tally.deleteBytes += byteLength;
        if (at !== -1) this.bury(slot);
        continue;
      }
      tally.putBytes += byteLength;
      if (at === -1) {
        at = usedWords;
        slots[slot] = (tag << POSITION_BITS) | at;
        usedWords = writeEntryOfHint(words, at, view, start);
        this.count++;
      }
      words[at + FILE] = fileWord;
      words[at + OFFSET] = view.getUint32(start + HINT_OFFSET, true);
      words[at + LENGTH] = byteLength | lengthBits;
    }
    this.usedWords = usedWords;
    this.compactIfDead();
  }

  /**
   * The same where not every hint may find room: most are of keys that are there, or are gone by
   * now, and need none.
   */
  private replayOneByOne(run: HintRun, file: number, base: number, tally: ReplayTally): void {
    const { view, starts, from, to } = run;
    for (let index = from; index < to; index++) {
      const start = starts[index] as number;
      const hash = view.getUint32(start + HINT_HASH, true);
      const keyLengthAndType = view.getUint32(start + HINT_KEY_LENGTH, true);
      const byteLength = view.getUint32(start + HINT_LENGTH, true);
      let slot = this.slotOfHint(hash, view, start);
      if (slot !== -1) {
        const at = this.positionAt(slot);
        tally.forget(fileOf(this.words, at), byteLengthOf(this.words, at));
      }
      if ((keyLengthAndType & 1) === 1) {
        tally.deleteBytes += byteLength;
        if (slot !== -1) this.remove(slot);
        continue;
      }
      if (slot === -1) {
        this.reserve(1, entryWords(keyLengthAndType >>> 1));
        const at = this.usedWords;
        this.usedWords = writeEntryOfHint(this.words, at, view, start);
        this.occupy(hash, at);
        this.count++;
        slot = this.slotOfHint(hash, view, start);
      }
      tally.putBytes += byteLength;
      const offset = base + view.getUint32(start + HINT_OFFSET, true);
      writePlace(this.words, this.positionAt(slot), file, offset, byteLength);
    }
  }

  private slotOfHint(hash: number, view: DataView, start: number): number {
    const { slots, words } = this;
    const mask = slots.length - 1;
    const tag = tagOf(hash);
    for (let index = hash & mask; slots[index] !== 0; index = (index + 1) & mask) {
      const slot = slots[index] as number;
      const isTagged = slot >>> POSITION_BITS === tag;
      if (isTagged && isEntryOfHint(words, slot & POSITION_MASK, view, start)) return index;
    }
    return -1;
  }

  /** Gives back what was expected and did not come. */
  trim(): void {
    this.reservedEnd = 0;
    const slots = slotsFor(this.count);
    const isRoomy =
      this.words.length > Math.max(FIRST_ARENA_WORDS, Math.ceil(this.usedWords * ARENA_GROWTH));
    if (isRoomy || slots < this.slots.length) this.compact(slots);
  }

  /**
   * The keys as they are now, each as bytes of its own. Growing and compacting replace the arrays,
   * so the walk goes on undisturbed over the old ones; a key that was deleted meanwhile may still
   * come.
   */
  *keys(): Generator<Buffer> {
    const { words, bytes, usedWords } = this;
    for (let at = 0; at < usedWords; ) {
      const keyLength = words[at + KEY_LENGTH] as number;
      const start = (at + ENTRY_WORDS) * 4;
      at += entryWords(keyLength & ~DEAD);
      if ((keyLength & DEAD) === 0) yield handedOut(bytes, start, start + keyLength);
    }
  }

  /** Every live entry; its key is `bytes[start, end)`. Nothing may be changed meanwhile. */
  visit(visit: EntryVisitor): void {
    const ref: MutableFrameRef = { file: 0, offset: 0, byteLength: 0 };
    for (let at = 0; at < this.usedWords; ) {
      const keyLength = this.words[at + KEY_LENGTH] as number;
      if ((keyLength & DEAD) === 0) {
        const start = (at + ENTRY_WORDS) * 4;
        readPlace(this.words, at, ref);
        visit(ref, this.bytes, start, start + keyLength);
      }
      at += entryWords(keyLength & ~DEAD);
    }
  }

  private isKey(at: number, hash: number, key: Uint8Array, start: number, end: number): boolean {
    const { words, bytes } = this;
    if (words[at + HASH] !== hash || words[at + KEY_LENGTH] !== end - start) return false;
    let from = (at + ENTRY_WORDS) * 4;
    for (let index = start; index < end; index++, from++) {
      if (bytes[from] !== key[index]) return false;
    }
    return true;
  }

  private occupy(hash: number, at: number): void {
    const mask = this.slots.length - 1;
    let index = hash & mask;
    while (this.slots[index] !== 0) index = (index + 1) & mask;
    this.slots[index] = (tagOf(hash) << POSITION_BITS) | at;
  }

  /** Empties a slot and moves back what had been pushed past it. */
  private vacate(slot: number): void {
    const { slots, words } = this;
    const mask = slots.length - 1;
    let hole = slot;
    for (let next = (hole + 1) & mask; slots[next] !== 0; next = (next + 1) & mask) {
      const home = (words[this.positionAt(next) + HASH] as number) & mask;
      // Does the entry's way from home to here lead over the hole?
      if (((next - home) & mask) < ((next - hole) & mask)) continue;
      slots[hole] = slots[next] as number;
      hole = next;
    }
    slots[hole] = 0;
  }

  private positionAt(slot: number): number {
    return (this.slots[slot] as number) & POSITION_MASK;
  }

  private growTable(count: number): void {
    this.slots = new Uint32Array(slotsFor(count));
    this.fillTable();
  }

  private fillTable(): void {
    for (let at = 0; at < this.usedWords; ) {
      const keyLength = this.words[at + KEY_LENGTH] as number;
      if ((keyLength & DEAD) === 0) this.occupy(this.words[at + HASH] as number, at);
      at += entryWords(keyLength & ~DEAD);
    }
  }

  private growArena(wantedWords: number, expectedWords: number): void {
    // Room behind the last place that a slot can name would be taken, and never found again.
    const most = Math.min(Math.ceil(expectedWords), this.maxWords);
    const words = new Uint32Array(Math.max(wantedWords, most));
    words.set(this.words.subarray(0, this.usedWords));
    this.words = words;
    this.bytes = new Uint8Array(words.buffer);
  }

  private compactArena(slots: number): void {
    const live = this.usedWords - this.deadWords;
    // In the middle of a batch there are puts to come that must find the room that was made for
    // them.
    const reserved = live + Math.max(0, this.reservedEnd - this.usedWords);
    const words = new Uint32Array(
      Math.max(FIRST_ARENA_WORDS, Math.ceil(live * ARENA_GROWTH), reserved),
    );
    const table = slots === this.slots.length ? this.slots.fill(0) : new Uint32Array(slots);
    let to = 0;
    for (let at = 0; at < this.usedWords; ) {
      const keyLength = this.words[at + KEY_LENGTH] as number;
      const length = entryWords(keyLength & ~DEAD);
      if ((keyLength & DEAD) === 0) {
        words.set(this.words.subarray(at, at + length), to);
        to += length;
      }
      at += length;
    }
    this.words = words;
    this.bytes = new Uint8Array(words.buffer);
    this.usedWords = to;
    this.reservedEnd = reserved;
    this.deadWords = 0;
    this.slots = table;
    this.fillTable();
  }
}

/**
 * A byte of the hash that the shard's number does not use and small tables do not either; 0 means a
 * free slot.
 */
function tagOf(hash: number): number {
  return (hash >>> 16) & 0xff || 1;
}

/** Does a table of so many slots hold so many entries? */
function holds(slots: number, entries: number): boolean {
  return entries * 8 <= slots * FULL_EIGHTHS;
}

function slotsFor(entries: number): number {
  let slots = FIRST_SLOTS;
  while (!holds(slots, entries)) slots *= 2;
  return slots;
}
