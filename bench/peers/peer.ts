/**
 * What a put of the opened store promises when it has returned, or its promise is settled: that it
 * survives the death of this process, or a power cut.
 */
export type Guarantee = 'append' | 'sync';

export type Pair = readonly [key: Buffer, value: Buffer];

/** A store as the comparison drives it: by the fastest calls it has for the guarantee. */
export interface PeerStore {
  get(key: Buffer): Uint8Array | undefined;
  put(key: Buffer, value: Buffer): unknown;
  /**
   * Many puts in the store's own unit of many; the guarantee holds when it has returned or settled.
   */
  batch(pairs: readonly Pair[]): unknown;
  /** Reads every pair; returns how many. */
  scan(): number | Promise<number>;
  close(): Promise<void> | void;
}

export interface Peer {
  readonly name: string;
  readonly version: string;
  /** The store's settings, by guarantee, in its own words. */
  readonly settings: Readonly<Record<Guarantee, string>>;
  open(directory: string, guarantee: Guarantee): Promise<PeerStore> | PeerStore;
}
