/**
 * What a store that never lies would hold: for each key number the version put last, and whether it
 * is live. Five bytes per key, however much is written.
 */
export class Oracle {
  private readonly versions: Uint32Array;
  private readonly live: Uint8Array;
  private liveKeys = 0;

  constructor(keyCount: number) {
    this.versions = new Uint32Array(keyCount);
    this.live = new Uint8Array(keyCount);
  }

  get keyCount(): number {
    return this.versions.length;
  }

  get liveCount(): number {
    return this.liveKeys;
  }

  /** The version put last, deleted since or not; 0 when the key was never put. */
  lastVersionOf(keyNumber: number): number {
    return this.versions[keyNumber] as number;
  }

  /** The version that a get must return; 0 when it must return nothing. */
  liveVersionOf(keyNumber: number): number {
    return this.live[keyNumber] === 1 ? (this.versions[keyNumber] as number) : 0;
  }

  put(keyNumber: number, version: number): void {
    this.versions[keyNumber] = version;
    this.setLive(keyNumber, 1);
  }

  delete(keyNumber: number): void {
    this.setLive(keyNumber, 0);
  }

  private setLive(keyNumber: number, live: 0 | 1): void {
    this.liveKeys += live - (this.live[keyNumber] as number);
    this.live[keyNumber] = live;
  }
}
