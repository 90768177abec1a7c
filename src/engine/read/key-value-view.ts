import { type BytesLike, copyOf, keyBytes } from '../format/bytes.ts';
import type { RecordRef } from '../format/frame.ts';
import type { StoreError } from '../host/errors.ts';
import type { FileSystem } from '../host/file-system.ts';
import { Observation } from '../host/observation.ts';
import { getChannel, type OperationMessage } from '../host/operation-channels.ts';
import { checkFunction, checkOptions, checkPath, checkSignal, kindOf } from '../host/options.ts';
import type { ReadSite } from '../host/probe.ts';
import { type ProbeSet, partDuration, partStart } from '../host/probe-set.ts';
import type { Keydir } from '../keydir/keydir.ts';
import { readRuns, type WantedFrame } from '../segment/read-runs.ts';
import type { FrameRef } from '../segment/segment-files.ts';
import type { SegmentReader } from '../segment/segment-reader.ts';
import { type ExportOptions, exportFile, exportLines } from '../upkeep/export.ts';

/** Reading by key, the same for the writer's store and for a lock-free reader. */
export abstract class KeyValueView {
  readonly directory: string;
  protected keydir: Keydir;
  private segmentReader: SegmentReader;
  private readonly readProbe: ProbeSet | undefined;

  protected constructor(
    keydir: Keydir,
    segmentReader: SegmentReader,
    probe: ProbeSet | undefined,
    directory: string,
  ) {
    this.keydir = keydir;
    this.segmentReader = segmentReader;
    this.readProbe = probe;
    this.directory = directory;
  }

  /** Reads another state of the store from here on. */
  protected adopt(keydir: Keydir, segmentReader: SegmentReader): void {
    this.keydir = keydir;
    this.segmentReader = segmentReader;
  }

  /** What the channels of an operation are told. */
  protected message(): OperationMessage {
    return { directory: this.directory };
  }

  protected abstract get fileSystem(): FileSystem;

  /** Throws `STORE_CLOSED` after `close`. */
  protected abstract checkOpen(): void;

  /** Live keys. */
  get size(): number {
    return this.keydir.size;
  }

  /**
   * The value of a key, or undefined. One pread; the checksum of the whole frame, its type and its
   * key are verified, and damage is thrown (`CRC_MISMATCH`, `FRAME_MISMATCH`, `READ_FAILED`), never
   * returned.
   */
  get(key: BytesLike): Uint8Array | undefined {
    if (getChannel.hasSubscribers)
      return getChannel.traceSync(this.getNow, this.message(), this, key);
    return this.getNow(key);
  }

  private getNow(key: BytesLike): Uint8Array | undefined {
    const sought = keyBytes(key);
    this.checkOpen();
    if (this.readProbe !== undefined) return this.observedGet(sought, this.readProbe);
    const ref = this.keydir.locate(sought);
    return ref === undefined ? undefined : this.segmentReader.readValue(ref, sought, 'get', 0);
  }

  /**
   * The values of many keys, in the order of the keys, undefined for those that are not there.
   * Reads in the order of the log, and what lies close together with one pread. Every frame is
   * verified as `get` does it.
   */
  getMany(keys: readonly BytesLike[]): (Uint8Array | undefined)[] {
    if (getChannel.hasSubscribers)
      return getChannel.traceSync(this.getManyNow, this.message(), this, keys);
    return this.getManyNow(keys);
  }

  private getManyNow(keys: readonly BytesLike[]): (Uint8Array | undefined)[] {
    if (!Array.isArray(keys))
      throw new TypeError(`getMany takes an array of keys, not ${kindOf(keys)}`);
    const sought = Array.from(keys, (key) => this.ownKey(key));
    this.checkOpen();
    const observation = new Observation(this.readProbe, 'getMany', { hits: 0, misses: 0 });
    const { operation, result } = observation;
    const values: (Uint8Array | undefined)[] = new Array(sought.length).fill(undefined);
    try {
      const wanted: WantedFrame[] = [];
      for (const [index, key] of sought.entries()) {
        const ref = this.keydir.locate(key);
        if (ref === undefined) continue;
        const { file, offset, byteLength } = ref;
        wanted.push({ file, offset, byteLength, index });
      }
      const { segmentReader } = this;
      for (const run of readRuns(wanted)) {
        const [single] = run;
        if (run.length === 1 && single !== undefined) {
          const { index } = single;
          values[index] = segmentReader.readValue(
            single,
            sought[index] as Uint8Array,
            'get',
            operation,
          );
          result.hits++;
          continue;
        }
        const runKeys = run.map(({ index }) => sought[index] as Uint8Array);
        segmentReader.readValues(run, runKeys, 'get', operation, (at, value) => {
          values[(run[at] as WantedFrame).index] = value;
          result.hits++;
        });
      }
      return values;
    } catch (error) {
      throw observation.failed(error);
    } finally {
      result.misses = sought.length - result.hits;
      observation.end();
    }
  }

  /** Does what `get` does, with the pread off the event loop. It is for cold or large values. */
  getAsync(key: BytesLike): Promise<Uint8Array | undefined> {
    if (!getChannel.hasSubscribers) return this.getLater(key);
    return getChannel.tracePromise(this.getLater, this.message(), this, key);
  }

  private async getLater(key: BytesLike): Promise<Uint8Array | undefined> {
    // A copy: the caller may change its key before the read ends.
    const sought = copyOf(keyBytes(key));
    this.checkOpen();
    const probe = this.readProbe;
    const operation = probe?.begin('get') ?? 0;
    const startNs = partStart(operation);
    const ref = this.locateCopy(sought);
    let value: Uint8Array | undefined;
    let failure: unknown;
    try {
      if (ref !== undefined)
        value = await this.segmentReader.readValueAsync(ref, sought, 'get', operation);
    } catch (error) {
      failure = error;
      throw error;
    } finally {
      probe?.got(
        operation,
        value !== undefined,
        startNs,
        partDuration(operation, startNs),
        failure as StoreError | undefined,
      );
    }
    return value;
  }

  private observedGet(given: Uint8Array, probe: ProbeSet): Uint8Array | undefined {
    // Whoever is told something in the middle may change the caller's memory.
    const key = copyOf(given);
    const operation = probe.begin('get');
    const startNs = partStart(operation);
    let value: Uint8Array | undefined;
    try {
      const ref = this.keydir.locate(key);
      if (ref !== undefined) value = this.segmentReader.readValue(ref, key, 'get', operation);
    } catch (error) {
      probe.got(operation, false, startNs, partDuration(operation, startNs), error as StoreError);
      throw error;
    }
    probe.got(operation, value !== undefined, startNs, partDuration(operation, startNs), undefined);
    return value;
  }

  /**
   * The bytes of a key, in memory of our own where somebody is told of operations: whoever is told
   * in the middle of one may change the caller's memory.
   */
  protected ownKey(key: BytesLike): Uint8Array {
    const bytes = keyBytes(key);
    return this.readProbe === undefined ? bytes : copyOf(bytes);
  }

  /** Is the key live? Does not touch the disk. */
  has(key: BytesLike): boolean {
    const sought = keyBytes(key);
    this.checkOpen();
    return this.keydir.has(sought);
  }

  /** Where the newest Put of a key lies, without touching the disk. */
  refOf(key: BytesLike): RecordRef | undefined {
    const sought = keyBytes(key);
    this.checkOpen();
    const ref = this.keydir.locate(sought);
    return ref === undefined ? undefined : this.keydir.files.refOf(ref);
  }

  /** The place of a key in an object of its own. */
  private locateCopy(key: Uint8Array): FrameRef | undefined {
    const ref = this.keydir.locate(key);
    return ref === undefined ? undefined : { ...ref };
  }

  /** The live keys, in no promised order. */
  keys(): Iterable<Uint8Array> {
    this.checkOpen();
    return this.keydir.keys();
  }

  /** The live pairs, in no promised order. Each value is read, and verified, when it is reached. */
  *entries(): Generator<[Uint8Array, Uint8Array]> {
    for (const key of this.keys()) {
      const value = this.get(key);
      if (value !== undefined) yield [key, value];
    }
  }

  /**
   * The lines of `exportJsonl`, some hundred kilobytes at a time, for whoever sends them elsewhere.
   */
  exportLines(options: ExportOptions = {}): AsyncGenerator<string, void> {
    checkOptions(options, 'export', ['onProgress', 'signal']);
    checkFunction('onProgress', options.onProgress);
    checkSignal(options.signal);
    this.checkOpen();
    return exportLines(this.scanPairs(), this.keydir.liveBytes, options);
  }

  /**
   * Writes one `{"key_b64":"…","value_b64":"…"}` a live key, sorted by key bytes. The file appears
   * whole, and durably, or not at all, and takes the place of a file that was there, but of no
   * link, pipe or device, and of none beside the segments. What is written meanwhile is in it or
   * not.
   */
  async exportJsonl(path: string, options: ExportOptions = {}): Promise<void> {
    checkPath(path, 'the file to export to');
    await exportFile(
      this.fileSystem,
      this.exportLines(options),
      path,
      this.directory,
      options.signal,
    );
  }

  /** All pairs in byte order of their keys, as one scan for the probe. */
  private *scanPairs(): Generator<[Buffer, Buffer]> {
    const scan = new Observation(this.readProbe, 'scan', { records: 0 });
    try {
      for (const pair of this.sortedPairs('scan', scan.operation)) {
        scan.result.records++;
        yield pair;
      }
    } catch (error) {
      throw scan.failed(error);
    } finally {
      scan.end();
    }
  }

  /** The pairs that are live when they are reached, in byte order of the keys. */
  protected *sortedPairs(site: ReadSite, operation: number): Generator<[Buffer, Buffer]> {
    for (const key of this.keydir.sortedKeys()) {
      this.checkOpen();
      const ref = this.keydir.locate(key);
      if (ref !== undefined) yield [key, this.segmentReader.readValue(ref, key, site, operation)];
    }
  }
}
