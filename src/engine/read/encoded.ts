import type { BytesLike } from '../format/bytes.ts';
import type { RecordRef } from '../format/frame.ts';
import { StoreError } from '../host/errors.ts';
import { checkOptions } from '../host/options.ts';
import type { KeyValueView } from './key-value-view.ts';

/** A pair of functions between values and bytes. Both are synchronous. */
export interface Encoding<T> {
  /** The bytes (or the text) of a value. Throws for a value that it cannot encode. */
  encode(value: T): BytesLike;
  /** The value of bytes. Throws for bytes that it cannot decode. The bytes may be kept. */
  decode(bytes: Uint8Array): T;
}

/**
 * `utf8`: strings. `json`: whatever `JSON.stringify` takes and `JSON.parse` gives back. `buffer`
 * and `view`: bytes as they are, as a `Buffer` or as any `Uint8Array`.
 */
export type EncodingName = 'utf8' | 'json' | 'buffer' | 'view';

/** The type of the values of a named encoding; `Json` is that of `'json'`. */
export interface EncodedTypes<Json = unknown> {
  utf8: string;
  json: Json;
  buffer: Buffer;
  view: Uint8Array;
}

/** Each is a name, or a pair of functions of one's own. */
export interface EncodingOptions<
  KeyName extends EncodingName,
  ValueName extends EncodingName,
  K,
  V,
> {
  /** Default: `'utf8'`. Keys are equal when their bytes are. */
  readonly key?: KeyName | Encoding<K>;
  /** Default: `'json'`. */
  readonly value?: ValueName | Encoding<V>;
}

/** One change of `EncodedStore.batch`. */
export type EncodedOperation<K, V> =
  | { readonly type: 'put'; readonly key: K; readonly value: V }
  | { readonly type: 'del'; readonly key: K };

/** What an encoded store needs of the store under it. */
export interface WritableView extends KeyValueView {
  /** Sets a key. Survives the death of this process. */
  put(key: BytesLike, value: BytesLike): RecordRef;
  /** Records that a key is gone. Was it live? */
  delete(key: BytesLike): boolean;
  /** Writes many operations with few write calls. */
  batch(
    operations: readonly (
      | { readonly type: 'put'; readonly key: BytesLike; readonly value: BytesLike }
      | { readonly type: 'del'; readonly key: BytesLike }
    )[],
  ): void;
  /** `put`, and then a sync: survives a power cut once settled. */
  putDurable(key: BytesLike, value: BytesLike): Promise<RecordRef>;
}

/**
 * A reader whose keys and values have types. Throws what the reader throws, and `NOT_DECODABLE`.
 */
export class EncodedReader<K, V, View extends KeyValueView = KeyValueView> {
  /** The reader or store underneath, for everything that is not about keys and values. */
  readonly store: View;
  protected readonly keyEncoding: Encoding<K>;
  protected readonly valueEncoding: Encoding<V>;

  constructor(store: View, keys: Encoding<K>, values: Encoding<V>) {
    this.store = store;
    this.keyEncoding = keys;
    this.valueEncoding = values;
  }

  /** Live keys. */
  get size(): number {
    return this.store.size;
  }

  /** The value of a key, or undefined. One pread. */
  get(key: K): V | undefined {
    const bytes = encode(this.keyEncoding, key, 'key');
    return this.decodeFound(bytes, this.store.get(bytes));
  }

  /** Does what `get` does, with the pread off the event loop. */
  async getAsync(key: K): Promise<V | undefined> {
    const bytes = encode(this.keyEncoding, key, 'key');
    return this.decodeFound(bytes, await this.store.getAsync(bytes));
  }

  /** The values of many keys, in the order of the keys; undefined for those that are not there. */
  getMany(keys: readonly K[]): (V | undefined)[] {
    const bytes = keys.map((key) => encode(this.keyEncoding, key, 'key'));
    return this.store
      .getMany(bytes)
      .map((value, index) => this.decodeFound(bytes[index] as BytesLike, value));
  }

  /** Is the key live? Does not touch the disk. */
  has(key: K): boolean {
    return this.store.has(encode(this.keyEncoding, key, 'key'));
  }

  /** The live keys, in no promised order. */
  *keys(): Generator<K> {
    for (const bytes of this.store.keys()) yield this.decode(this.keyEncoding, bytes, bytes, 'key');
  }

  /** The live pairs, in no promised order. */
  *entries(): Generator<[K, V]> {
    for (const [key, value] of this.store.entries()) {
      yield [
        this.decode(this.keyEncoding, key, key, 'key'),
        this.decode(this.valueEncoding, key, value, 'value'),
      ];
    }
  }

  /** The same as `entries`. */
  [Symbol.iterator](): Generator<[K, V]> {
    return this.entries();
  }

  private decodeFound(key: BytesLike, value: Uint8Array | undefined): V | undefined {
    return value === undefined ? undefined : this.decode(this.valueEncoding, key, value, 'value');
  }

  private decode<T>(encoding: Encoding<T>, key: BytesLike, bytes: Uint8Array, what: string): T {
    try {
      return encoding.decode(bytes);
    } catch (error) {
      const ref = this.store.refOf(key);
      const at = ref === undefined ? '' : ` at segment ${ref.segmentId}, offset ${ref.offset}`;
      const named = Buffer.from(key as Uint8Array).toString('hex');
      throw new StoreError(
        'NOT_DECODABLE',
        `the ${what} of key ${typeof key === 'string' ? JSON.stringify(key) : `hex:${named}`}${at} is not what its encoding writes: ${wordsOf(error)}. It was written by other means, or with another encoding; read it with the store underneath`,
        {
          cause: error,
          ...(ref === undefined ? {} : { segmentId: ref.segmentId, offset: ref.offset }),
        },
      );
    }
  }
}

/**
 * A store whose keys and values have types. What cannot be encoded throws a `TypeError` before
 * anything is written.
 */
export class EncodedStore<K, V, View extends WritableView = WritableView> extends EncodedReader<
  K,
  V,
  View
> {
  /** Appends a pair: it survives the death of this process, not a power cut. */
  put(key: K, value: V): RecordRef {
    return this.store.put(
      encode(this.keyEncoding, key, 'key'),
      encode(this.valueEncoding, value, 'value'),
    );
  }

  /** Appends a pair and makes it durable: it survives a power cut once this resolves. */
  async putDurable(key: K, value: V): Promise<RecordRef> {
    return this.store.putDurable(
      encode(this.keyEncoding, key, 'key'),
      encode(this.valueEncoding, value, 'value'),
    );
  }

  /** Was the key live? The removal survives the death of this process, not a power cut. */
  delete(key: K): boolean {
    return this.store.delete(encode(this.keyEncoding, key, 'key'));
  }

  /** Writes many changes at once. After a crash all of them are there, or a prefix. */
  batch(operations: readonly EncodedOperation<K, V>[]): void {
    this.store.batch(
      operations.map((operation) => {
        const key = encode(this.keyEncoding, operation.key, 'key');
        return operation.type === 'put'
          ? { type: 'put', key, value: encode(this.valueEncoding, operation.value, 'value') }
          : { type: operation.type, key };
      }),
    );
  }
}

/**
 * A view of a store (or a reader) whose keys and values have types, in the manner of
 * abstract-level: `encoded(store, { key: 'utf8', value: 'json' })`, which are the defaults.
 * `encoded<Session>(store)` says what the JSON holds. The store underneath stays as it is; close
 * that one.
 *
 * Throws a `TypeError` for an encoding that it does not know.
 */
export function encoded<
  Json = unknown,
  KeyName extends EncodingName = 'utf8',
  ValueName extends EncodingName = 'json',
  K = EncodedTypes[KeyName],
  V = EncodedTypes<Json>[ValueName],
  View extends KeyValueView = WritableView,
>(
  store: View,
  options: EncodingOptions<KeyName, ValueName, K, V> = {},
): View extends WritableView ? EncodedStore<K, V, View> : EncodedReader<K, V, View> {
  const { key = 'utf8', value = 'json' } = checkOptions(options, 'encoded', ['key', 'value']);
  const keys = encodingOf<K>(key, 'key');
  const values = encodingOf<V>(value, 'value');
  const view = isWritable(store)
    ? new EncodedStore(store, keys, values)
    : new EncodedReader(store, keys, values);
  // Which of the two it is follows from `store`.
  return view as never;
}

function isWritable(store: KeyValueView): store is WritableView {
  return 'putDurable' in store;
}

const fatalUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  throw new TypeError(`a string is needed, not ${value === null ? 'null' : typeof value}`);
}

/** JSON has no undefined, and takes a function or a symbol for one. */
function jsonOf(value: unknown): string {
  const text = JSON.stringify(value);
  if (text === undefined) throw new TypeError(`JSON has no ${typeof value}`);
  return text;
}

const bytesOf = (value: unknown) => value as Uint8Array;

const ENCODINGS: Readonly<Record<EncodingName, Encoding<unknown>>> = {
  utf8: { encode: textOf, decode: (bytes) => fatalUtf8.decode(bytes) },
  json: { encode: jsonOf, decode: (bytes) => JSON.parse(fatalUtf8.decode(bytes)) },
  buffer: {
    encode: bytesOf,
    decode: ({ buffer, byteOffset, byteLength }) => Buffer.from(buffer, byteOffset, byteLength),
  },
  view: { encode: bytesOf, decode: (bytes) => bytes },
};

function encodingOf<T>(choice: EncodingName | Encoding<T>, option: string): Encoding<T> {
  if (typeof choice === 'string') {
    // The name stands for the type, which the caller's types have checked.
    if (Object.hasOwn(ENCODINGS, choice)) return ENCODINGS[choice] as Encoding<T>;
  } else if (typeof choice?.encode === 'function' && typeof choice?.decode === 'function') {
    return choice;
  }
  const names = Object.keys(ENCODINGS).join(', ');
  throw new TypeError(
    `${option}: give one of ${names}, or an object with the functions encode and decode`,
  );
}

/** A `TypeError` that says which of the two could not be encoded, before anything is written. */
function encode<T>(encoding: Encoding<T>, value: T, what: 'key' | 'value'): BytesLike {
  try {
    return encoding.encode(value);
  } catch (error) {
    throw new TypeError(`the ${what} cannot be encoded: ${wordsOf(error)}`, { cause: error });
  }
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
