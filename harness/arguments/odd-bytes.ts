import { runInNewContext } from 'node:vm';
import { MAX_KEY_BYTES } from '../../src/engine/index.ts';

/** Something that a caller may hand over where bytes are wanted. */
export interface OddBytes {
  readonly name: string;
  /** A new one for each call: some are used up. */
  readonly make: () => unknown;
  /** What it stands for; undefined where it must be refused. */
  readonly bytes?: Buffer;
}

const PLAIN = Buffer.from('odd bytes');

function shared(growable: boolean): Uint8Array {
  const options = growable ? [{ maxByteLength: 64 }] : [];
  const buffer = new (
    SharedArrayBuffer as new (
      size: number,
      options?: object,
    ) => SharedArrayBuffer
  )(PLAIN.length, ...options);
  const view = new Uint8Array(buffer);
  view.set(PLAIN);
  return view;
}

function resizable(): { buffer: ArrayBuffer; view: Uint8Array } {
  const buffer = new ArrayBuffer(PLAIN.length, { maxByteLength: 64 });
  const view = new Uint8Array(buffer, 0, PLAIN.length);
  view.set(PLAIN);
  return { buffer, view };
}

function detached(length: number): Uint8Array {
  const view = new Uint8Array(length);
  structuredClone(view, { transfer: [view.buffer] });
  return view;
}

class Longer extends Uint8Array {
  override get length(): number {
    return super.length + 5;
  }
}

class Shorter extends Uint8Array {
  override get length(): number {
    return 1;
  }
}

class Species extends Uint8Array {
  static get [Symbol.species](): Uint8ArrayConstructor {
    throw new Error('nobody may ask a subclass for its species');
  }
}

/** A view that says another length each time it is asked. */
function unsteady(): Uint8Array {
  let length = 0;
  return Object.defineProperty(Uint8Array.from(PLAIN), 'length', { get: () => length++ });
}

/** Views of every kind of memory, and what is no bytes at all. */
export const ODD_BYTES: readonly OddBytes[] = [
  { name: 'a Buffer', make: () => Buffer.from(PLAIN), bytes: PLAIN },
  { name: 'text', make: () => PLAIN.toString(), bytes: PLAIN },
  { name: 'an empty view', make: () => new Uint8Array(0), bytes: Buffer.alloc(0) },
  { name: 'empty text', make: () => '', bytes: Buffer.alloc(0) },
  { name: 'shared memory', make: () => shared(false), bytes: PLAIN },
  { name: 'growable shared memory', make: () => shared(true), bytes: PLAIN },
  { name: 'resizable memory', make: () => resizable().view, bytes: PLAIN },
  {
    name: 'memory that tracks its buffer',
    make: () => {
      const { buffer } = resizable();
      buffer.resize(4);
      return new Uint8Array(buffer);
    },
    bytes: PLAIN.subarray(0, 4),
  },
  {
    name: 'a view of another realm',
    make: () => runInNewContext(`Uint8Array.from([${[...PLAIN]}])`),
    bytes: PLAIN,
  },
  { name: 'a subclass that is longer', make: () => Longer.from(PLAIN), bytes: PLAIN },
  { name: 'a subclass that is shorter', make: () => Shorter.from(PLAIN), bytes: PLAIN },
  { name: 'a subclass with a species', make: () => new Species(PLAIN), bytes: PLAIN },
  { name: 'a view of another length each time', make: unsteady, bytes: PLAIN },
  {
    name: 'a view in the middle',
    make: () => new Uint8Array(Uint8Array.from([0, ...PLAIN, 0]).buffer, 1, PLAIN.length),
    bytes: PLAIN,
  },
  { name: 'a detached view', make: () => detached(9) },
  { name: 'a detached empty view', make: () => detached(0) },
  {
    name: 'a view that a resize left out of bounds',
    make: () => {
      const { buffer, view } = resizable();
      buffer.resize(2);
      return view;
    },
  },
  { name: 'a proxy', make: () => new Proxy(Uint8Array.from(PLAIN), {}) },
  { name: 'a heir of a view', make: () => Object.create(Uint8Array.from(PLAIN)) },
  { name: 'half a surrogate pair', make: () => 'a\ud800' },
  { name: 'the other half', make: () => '\udc00' },
  { name: 'a String object', make: () => Object('text') },
  { name: 'an Int8Array', make: () => new Int8Array(3) },
  { name: 'a Uint8ClampedArray', make: () => new Uint8ClampedArray(3) },
  { name: 'a Float64Array', make: () => new Float64Array(3) },
  { name: 'a DataView', make: () => new DataView(new ArrayBuffer(3)) },
  { name: 'an ArrayBuffer', make: () => new ArrayBuffer(3) },
  { name: 'an array of numbers', make: () => [1, 2, 3] },
  { name: 'something with a length', make: () => ({ length: 3, byteLength: 3 }) },
  { name: 'a pretender', make: () => ({ [Symbol.toStringTag]: 'Uint8Array', length: 3 }) },
  { name: 'null', make: () => null },
  { name: 'undefined', make: () => undefined },
  { name: 'a number', make: () => 5 },
  { name: 'a bigint', make: () => 5n },
  { name: 'a symbol', make: () => Symbol('key') },
  { name: 'a function', make: () => () => 'key' },
];

/** The same as keys, and keys that are too long. */
export const ODD_KEYS: readonly OddBytes[] = [
  ...ODD_BYTES,
  { name: 'a key that is too long', make: () => Buffer.alloc(MAX_KEY_BYTES + 1) },
  { name: 'text that is too long', make: () => 'é'.repeat(MAX_KEY_BYTES / 2 + 1) },
];
