import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import {
  type FileSystem,
  openReader,
  openStore,
  type Store,
  StoreError,
} from '../../../src/engine/index.ts';
import { type DiskImage, fileSystemOf } from '../../file-systems/disk-image.ts';
import type { MemoryFileSystem } from '../../file-systems/memory-file-system.ts';
import { type Expectation, isBehind, type Output } from '../promises/expectation.ts';
import type { History } from '../promises/history.ts';
import { type Invariant, InvariantBroken } from '../promises/invariants.ts';
import { fileDigest } from './crash-images.ts';
import { SEGMENT_BYTES, STORE_DIRECTORY } from './crash-workload.ts';
import { writeImage } from './image-files.ts';

/** What recovery came to. */
export interface Recovered {
  readonly state: string;
  readonly nextTxid: number;
  readonly mark: Expectation['mark'];
  readonly outcome: Store['recoveryReport']['outcome'];
  /** Was anything cut off? */
  readonly hasDiscarded: boolean;
}

export interface ImageCheckOptions {
  readonly history: Pick<History, 'stateOf' | 'longestPrefix'>;
  /** Broken by a state that is no prefix's. */
  readonly prefixInvariant: Invariant;
  /** Bytes that must be found once it has recovered, by path. */
  readonly quarantined: ReadonlyMap<string, Buffer>;
}

/**
 * Opens crash images of one history and holds them to what had been promised. Its methods throw
 * `InvariantBroken`.
 */
export class ImageCheck {
  private readonly options: ImageCheckOptions;
  /** Outputs that were found whole, by their place and files. */
  private readonly wholeOutputs = new Set<string>();

  constructor(options: ImageCheckOptions) {
    this.options = options;
  }

  async recover(image: DiskImage): Promise<Recovered> {
    const fileSystem = fileSystemOf(image);
    const store = await openImage(fileSystem);
    for (const [path, bytes] of this.options.quarantined) {
      if (fileSystem.stat(path) === undefined || !fileSystem.readFile(path).equals(bytes))
        throw new InvariantBroken('quarantine', `what a recovery discarded is not in ${path}`);
    }
    const { durableMark, outcome, discarded } = store.recoveryReport;
    return {
      state: this.options.history.stateOf(store.entries()),
      nextTxid: store.end.nextTxid,
      mark: durableMark ?? { segmentId: 0, offset: 0 },
      outcome,
      hasDiscarded: discarded.length > 0,
    };
  }

  /** Is what recovery came to enough for what had been promised? */
  async judge(
    { state, nextTxid, mark, outcome }: Recovered,
    image: DiskImage,
    expected: Expectation,
  ) {
    const prefix = this.options.history.longestPrefix(state, expected.begun);
    if (prefix === undefined) {
      throw new InvariantBroken(
        this.options.prefixInvariant,
        `recovery came to the state ${state}, which no prefix of ${expected.begun} operations gives`,
      );
    }
    if (prefix < expected.acknowledged) {
      throw new InvariantBroken(
        'I2',
        `the state of ${prefix} operations, although ${expected.acknowledged} were acknowledged as durable`,
      );
    }
    if (nextTxid < expected.nextTxid) {
      throw new InvariantBroken(
        'I7',
        `the next txid is ${nextTxid}, although all below ${expected.nextTxid} may have been given away`,
      );
    }
    if (isBehind(mark, expected.mark)) {
      const [found, promised] = [mark, expected.mark].map(
        ({ segmentId, offset }) => `${segmentId}:${offset}`,
      );
      throw new InvariantBroken(
        'I8',
        `the mark is at ${found}, although ${promised} had been promised`,
      );
    }
    if (expected.closed && outcome !== 'clean') {
      throw new InvariantBroken(
        'clean',
        `the store was closed in order, and opening it says '${outcome}'`,
      );
    }
    for (const [path, output] of expected.outputs) await this.judgeOutput(image, path, output);
  }

  /** Closes again, and demands that nothing stays open. */
  async checkClosing(image: DiskImage): Promise<void> {
    const fileSystem = fileSystemOf(image);
    await (await openImage(fileSystem)).close();
    checkDescriptors(fileSystem, 'an orderly close');
  }

  /** A reader takes no lock, repairs nothing, and sees the same. */
  async checkReader(image: DiskImage, state: string): Promise<void> {
    const fileSystem = fileSystemOf(image);
    if (fileSystem.stat(STORE_DIRECTORY) === undefined) return;
    if (!fileSystem.list(STORE_DIRECTORY).some((name) => name.endsWith('.dwal'))) return;
    const reader = await openReader(STORE_DIRECTORY, { fileSystem });
    const seen = this.options.history.stateOf(reader.entries());
    await reader.close();
    checkDescriptors(fileSystem, 'closing a reader');
    if (seen !== state)
      throw new InvariantBroken('reader', `a reader sees ${seen}, and recovery came to ${state}`);
    for (const [path, bytes] of image.files) {
      if (!fileSystem.readFile(path).equals(bytes))
        throw new InvariantBroken('reader', `a reader changed ${path}`);
    }
  }

  /** The same image as real files, in a directory of its own under `parent`. */
  async checkOnDisk(
    image: DiskImage,
    { state, nextTxid }: Recovered,
    parent: string,
  ): Promise<void> {
    const directory = mkdtempSync(join(parent, 'image-'));
    try {
      writeImage(image, directory);
      const store = await openStore(join(directory, 'store'), { segmentBytes: SEGMENT_BYTES });
      try {
        const found = this.options.history.stateOf(store.entries());
        if (found !== state || store.end.nextTxid !== nextTxid)
          throw new InvariantBroken(
            'disk',
            `recovery on disk came to ${found} and txid ${store.end.nextTxid}, in memory to ${state} and ${nextTxid}`,
          );
      } finally {
        await store.close();
      }
    } finally {
      rmSync(directory, { recursive: true });
    }
  }

  private async judgeOutput(
    image: DiskImage,
    path: string,
    { holds, isComplete }: Output,
  ): Promise<void> {
    const digest = outputDigest(image, path);
    if (digest === '') {
      if (isComplete)
        throw new InvariantBroken('outputs', `${path} is gone, although it was complete`);
      return;
    }
    if (this.wholeOutputs.has(digest)) return;
    if ('text' in holds) {
      if (image.files.get(path)?.toString() !== holds.text)
        throw new InvariantBroken('outputs', `${path} is there in part`);
    } else {
      if (holds.mayBeUnfinished && !isComplete && !(await isFinished(image, path))) return;
      const copy = await openStore(path, { fileSystem: fileSystemOf(image) });
      const state = this.options.history.stateOf(copy.entries());
      if (state !== holds.state)
        throw new InvariantBroken('outputs', `${path} holds ${state}, and not ${holds.state}`);
    }
    this.wholeOutputs.add(digest);
  }
}

/** Is there something that does not say that it is a part of a backup? */
async function isFinished(image: DiskImage, path: string): Promise<boolean> {
  try {
    await (await openReader(path, { fileSystem: fileSystemOf(image) })).close();
    return true;
  } catch (error) {
    // A directory without a segment is nothing yet.
    if (error instanceof StoreError && ['BACKUP_UNFINISHED', 'NOT_FOUND'].includes(error.code))
      return false;
    throw error;
  }
}

export function openImage(fileSystem: FileSystem): Promise<Store> {
  return openStore(STORE_DIRECTORY, { fileSystem, segmentBytes: SEGMENT_BYTES });
}

function checkDescriptors({ openDescriptorCount }: MemoryFileSystem, after: string): void {
  if (openDescriptorCount > 0)
    throw new InvariantBroken('I10', `${openDescriptorCount} descriptors are open after ${after}`);
}

/** Equal for the same files at the same place; empty when nothing is there. */
function outputDigest({ files, directories }: DiskImage, path: string): string {
  const parts: string[] = directories.has(path) ? [path] : [];
  for (const [file, bytes] of files) {
    if (file === path || file.startsWith(`${path}/`)) parts.push(`${file} ${fileDigest(bytes)}`);
  }
  return parts.sort().join('\n');
}
