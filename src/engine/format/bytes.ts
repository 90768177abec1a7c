import { types } from 'node:util';
import { MAX_KEY_BYTES, MAX_PAYLOAD_BYTES } from './format.ts';

/** Keys and values: bytes, or a string that is taken as UTF-8. */
export type BytesLike = Uint8Array | string;

/**
 * A key as bytes, within the limits of the format; `TypeError` or `RangeError` otherwise, before
 * any I/O. Nobody else can change, shrink or take away the memory of what is returned while one
 * call of ours runs, and its `length` is true: see `ownView`.
 */
export function keyBytes(key: BytesLike): Uint8Array {
  return limitedBytes(key, 'key', MAX_KEY_BYTES);
}

/** A value as bytes, in the same way. */
export function payloadBytes(value: BytesLike): Uint8Array {
  return limitedBytes(value, 'value', MAX_PAYLOAD_BYTES);
}

/** The same bytes in memory of our own, for a key that must outlive a call to somebody else. */
export function copyOf(bytes: Uint8Array): Uint8Array {
  const copy = new Uint8Array(bytes.length);
  copy.set(bytes);
  return copy;
}

const NO_BYTES = new Uint8Array(0);

// A view may lie: a subclass overrides `length`, a proxy answers as it likes. These do not ask it.
const TYPED_ARRAY = Object.getPrototypeOf(Uint8Array.prototype) as object;
const lengthOf = getterOf<number>(TYPED_ARRAY, 'length');
const offsetOf = getterOf<number>(TYPED_ARRAY, 'byteOffset');
const bufferOf = getterOf<ArrayBufferLike>(TYPED_ARRAY, 'buffer');
const elementOf = Function.prototype.call.bind(Uint8Array.prototype.at) as (
  view: Uint8Array,
  index: number,
) => number | undefined;

function limitedBytes(input: BytesLike, what: string, limit: number): Uint8Array {
  if (typeof input === 'string') return encodedText(input, what, limit);
  if (ArrayBuffer.isView(input)) {
    // Read first: then the compiler knows the shape, and what follows costs a third.
    const { length } = input;
    if (length > 0 && isPlainView(input)) {
      if (length > limit) throw tooLong(what, length, limit);
      return input;
    }
  }
  // Of any realm: in vm, jest and jsdom there are other `Uint8Array`s.
  if (!types.isUint8Array(input))
    throw new TypeError(`a ${what} must be a Uint8Array or a string, not ${nameOf(input)}`);
  const length = lengthOf(input);
  if (length > limit) throw tooLong(what, length, limit);
  return length === 0 ? emptyView(input, what) : ownView(input, length);
}

function encodedText(text: string, what: string, limit: number): Uint8Array {
  // Half a surrogate pair has no UTF-8: two different strings would be the same key.
  if (!text.isWellFormed()) {
    throw new TypeError(
      `a ${what} that is a string must be well-formed Unicode, and this one has a lone surrogate; give bytes, or text.toWellFormed()`,
    );
  }
  const bytes = Buffer.from(text, 'utf8');
  if (bytes.length > limit) throw tooLong(what, bytes.length, limit);
  return bytes;
}

/** No bytes, on purpose or because the memory is gone: both have a length of 0. */
function emptyView(input: Uint8Array, what: string): Uint8Array {
  try {
    elementOf(input, 0);
  } catch (error) {
    throw new TypeError(
      `the memory of this ${what} is gone: its ArrayBuffer was transferred or made smaller; copy the bytes before you do that`,
      { cause: error },
    );
  }
  return NO_BYTES;
}

/**
 * A `Buffer` or `Uint8Array` of our realm, which nobody has changed, on memory that no other thread
 * changes, and no call makes larger or smaller: nearly every view is. Memory that threads share has
 * no `resizable`, but `growable`.
 */
function isPlainView(input: Uint8Array): boolean {
  const prototype = Object.getPrototypeOf(input);
  if (prototype !== Buffer.prototype && prototype !== Uint8Array.prototype) return false;
  return !Object.hasOwn(input, 'length') && (bufferOf(input) as ArrayBuffer).resizable === false;
}

/**
 * A copy of a view that somebody else may change under us (shared with another thread, resizable),
 * or that is not a plain one.
 */
function ownView(input: Uint8Array, length: number): Uint8Array {
  return copyOf(new Uint8Array(bufferOf(input), offsetOf(input), length));
}

function tooLong(what: string, length: number, limit: number): RangeError {
  return new RangeError(`a ${what} of ${length} bytes is longer than the limit of ${limit}`);
}

/** What somebody gave instead: `null`, `number`, `Float64Array`. */
function nameOf(input: unknown): string {
  if (input === null) return 'null';
  if (types.isProxy(input)) return 'a Proxy';
  if (ArrayBuffer.isView(input)) return Object.prototype.toString.call(input).slice(8, -1);
  return typeof input;
}

function getterOf<T>(of: object, name: string): (view: object) => T {
  const { get } = Object.getOwnPropertyDescriptor(of, name) as PropertyDescriptor;
  return Function.prototype.call.bind(get as () => T) as (view: object) => T;
}
