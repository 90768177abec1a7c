import type { RecordRef } from './frame.ts';

/**
 * One shard of the keydir: an open-addressing table over an arena of entries, all in typed arrays outside the V8
 * heap. An entry is its place in the log and its key, side by side, so that a hit costs one line of the table and one
 * of the arena:
 *
 *     hash | segmentId + offset bits 32..36 | offset bits 0..31 | byteLength + offset bits 37..41 | keyLength | key, padded
 *
 * A slot of the table is one byte of the hash, which rules out nearly every wrong entry without touching the arena,
 * and 24 bits for the entry's place in it. Deleting moves the slots behind it back, so that lookups never walk over
 * remains.
 */

/** Where a record lies, in an object that is filled again by the next lookup. */
export interface MutableRef {
  segmentId: number;
  offset: number;
  byteLength: number;
}

export type EntryVisitor = (ref: MutableRef, bytes: Uint8Array, start: number, end: number) => void;

const ENTRY_WORDS = 5;
const HASH = 0;
const SEGMENT = 1;
const OFFSET = 2;
const LENGTH = 3;
const KEY_LENGTH = 4;

/** Set in the key length of an entry that was deleted and waits for the arena to be compacted. */
const DEAD = 0x8000_0000;

/** Segment ids and frame lengths both fit in 27 bits; the five above them extend the offset to 42 (`MAX_SEGMENT_FILE_BYTES`). */
const LOW_27 = 0x07ff_ffff;
const FIVE_BITS = 0x1f;
const TWO_TO_32 = 2 ** 32;
const TWO_TO_37 = 2 ** 37;

const POSITION_BITS = 24;
const POSITION_MASK = 2 ** POSITION_BITS - 1;

const FIRST_SLOTS = 8;
const FIRST_ARENA_WORDS = 64;
/** Slots in use of 8, at most. */
const FULL_EIGHTHS = 7;
/** An arena doubles while it is small, and then grows by less: less to copy first, and less spare room later. */
const SMALL_ARENA_WORDS = 1024;
const ARENA_GROWTH = 1.4;

export class KeydirShard {
  /** Live entries. */
  count = 0;
  /** 0 is free. */
  private slots = new Uint32Array(FIRST_SLOTS);
  private words = new Uint32Array(FIRST_ARENA_WORDS);
  private bytes = new Uint8Array(this.words.buffer);
  private usedWords = 0;
  private deadWords = 0;
  /** How far `insert`s that were made room for may reach. */
  private reservedEnd = 0;

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

  read(slot: number, into: MutableRef): void {
    this.readEntry(this.positionAt(slot), into);
  }

  private readEntry(at: number, into: MutableRef): void {
    const segment = this.words[at + SEGMENT] as number;
    const length = this.words[at + LENGTH] as number;
    into.segmentId = segment & LOW_27;
    into.byteLength = length & LOW_27;
    into.offset =
      (this.words[at + OFFSET] as number) + (segment >>> 27) * TWO_TO_32 + (length >>> 27) * TWO_TO_37;
  }

  /** Points the entry of a slot to another place. */
  update(slot: number, ref: RecordRef): void {
    this.place(this.positionAt(slot), ref);
  }

  /** Makes room for so many more entries of `words` in all, so that their `insert`s allocate nothing and cannot fail. */
  reserve(entries: number, words: number): void {
    while ((this.count + entries) * 8 > this.slots.length * FULL_EIGHTHS) this.growTable();
    this.reservedEnd = this.usedWords + words;
    if (this.reservedEnd > this.words.length) this.growArena(this.reservedEnd);
  }

  /** Adds a key that is not there, after `reserve`. */
  insert(hash: number, key: Uint8Array, start: number, end: number, ref: RecordRef): void {
    const at = this.usedWords;
    const keyLength = end - start;
    this.usedWords += entryWords(keyLength);
    this.words[at + HASH] = hash;
    this.words[at + KEY_LENGTH] = keyLength;
    this.place(at, ref);
    const { bytes } = this;
    for (let index = 0, to = (at + ENTRY_WORDS) * 4; index < keyLength; index++) {
      bytes[to + index] = key[start + index] as number;
    }
    this.occupy(hash, at);
    this.count++;
  }

  remove(slot: number): void {
    const at = this.positionAt(slot);
    this.deadWords += entryWords(this.words[at + KEY_LENGTH] as number);
    this.words[at + KEY_LENGTH] = (this.words[at + KEY_LENGTH] as number) | DEAD;
    this.count--;
    this.vacate(slot);
    this.compactIfDead();
  }

  private compactIfDead(): void {
    if (this.deadWords * 2 <= this.usedWords || this.usedWords <= FIRST_ARENA_WORDS) return;
    try {
      this.compactArena();
    } catch (error) {
      // The log has the Delete, and it is done. A later one tries again, when there is memory.
      if (!(error instanceof RangeError)) throw error;
    }
  }

  /**
   * The keys as they are now, each as bytes of its own. Growing and compacting replace the arrays, so the walk goes
   * on undisturbed over the old ones; a key that was deleted meanwhile may still come.
   */
  *keys(): Generator<Buffer> {
    const { words, bytes, usedWords } = this;
    for (let at = 0; at < usedWords; ) {
      const keyLength = words[at + KEY_LENGTH] as number;
      const start = (at + ENTRY_WORDS) * 4;
      at += entryWords(keyLength & ~DEAD);
      if ((keyLength & DEAD) === 0) yield Buffer.from(bytes.subarray(start, start + keyLength));
    }
  }

  /** Every live entry; its key is `bytes[start, end)`. Nothing may be changed meanwhile. */
  visit(visit: EntryVisitor): void {
    const ref: MutableRef = { segmentId: 0, offset: 0, byteLength: 0 };
    for (let at = 0; at < this.usedWords; ) {
      const keyLength = this.words[at + KEY_LENGTH] as number;
      if ((keyLength & DEAD) === 0) {
        const start = (at + ENTRY_WORDS) * 4;
        this.readEntry(at, ref);
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

  private place(at: number, { segmentId, offset, byteLength }: RecordRef): void {
    const high = Math.floor(offset / TWO_TO_32);
    this.words[at + SEGMENT] = segmentId | ((high & FIVE_BITS) << 27);
    this.words[at + OFFSET] = offset;
    this.words[at + LENGTH] = byteLength | ((high >>> 5) << 27);
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

  private growTable(): void {
    this.slots = new Uint32Array(this.slots.length * 2);
    this.fillTable();
  }

  private fillTable(): void {
    for (let at = 0; at < this.usedWords; ) {
      const keyLength = this.words[at + KEY_LENGTH] as number;
      if ((keyLength & DEAD) === 0) this.occupy(this.words[at + HASH] as number, at);
      at += entryWords(keyLength & ~DEAD);
    }
  }

  private growArena(wantedWords: number): void {
    if (wantedWords > POSITION_MASK)
      throw new RangeError(`the keys of one shard fill ${POSITION_MASK * 4} bytes`);
    const growth = this.words.length < SMALL_ARENA_WORDS ? 2 : ARENA_GROWTH;
    const words = new Uint32Array(Math.max(wantedWords, Math.ceil(this.words.length * growth)));
    words.set(this.words.subarray(0, this.usedWords));
    this.words = words;
    this.bytes = new Uint8Array(words.buffer);
  }

  private compactArena(): void {
    const live = this.usedWords - this.deadWords;
    // In the middle of a batch there are puts to come that must find the room that was made for them.
    const reserved = live + Math.max(0, this.reservedEnd - this.usedWords);
    const words = new Uint32Array(Math.max(FIRST_ARENA_WORDS, Math.ceil(live * ARENA_GROWTH), reserved));
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
    this.slots.fill(0);
    this.fillTable();
  }
}

/** What an entry takes in the arena. */
export function entryWords(keyLength: number): number {
  return ENTRY_WORDS + ((keyLength + 3) >>> 2);
}

/** A byte of the hash that the shard's number does not use and small tables do not either; 0 means a free slot. */
function tagOf(hash: number): number {
  return (hash >>> 16) & 0xff || 1;
}
