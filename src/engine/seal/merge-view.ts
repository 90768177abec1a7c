import { join } from 'node:path';
import { parseSegmentName } from '../format/segment-name.ts';
import type { FileSystem } from '../host/file-system.ts';
import type { OpenFile } from '../host/open-file.ts';
import {
  endsDigestOf,
  MERGE_SUFFIX,
  parseSealName,
  readSealHeader,
  SEAL_SUFFIX,
  type Seal,
} from './seal-file.ts';

/**
 * A merge as those see it who read without the lock: it may be anywhere between its steps, or may
 * have been killed there. Nothing is changed here; the next writer finishes it.
 */

/**
 * The seal of an open segment, also of one whose merge is being published; `unknown` when there is
 * a seal and it is of something else, which passes when a merge has gone on.
 */
export function sealOfOpened(
  fileSystem: FileSystem,
  directory: string,
  segmentId: number,
  file: OpenFile,
): Seal | 'unknown' | undefined {
  const { sizeBytes } = file.stat();
  let found = false;
  // In the order in which one becomes the other.
  for (const suffix of [MERGE_SUFFIX, SEAL_SUFFIX]) {
    const seal = readSealHeader(fileSystem, directory, segmentId, suffix);
    if (seal === undefined) continue;
    found = true;
    if (sizeBytes < seal.byteLength) continue;
    if (endsDigestOf(file, seal.byteLength) === seal.endsDigest) return seal;
  }
  return found ? 'unknown' : undefined;
}

/**
 * Notes what files a directory holds, to tell later whether one of them was replaced or removed.
 */
export class DirectoryStamp {
  private readonly fileSystem: FileSystem;
  private readonly directory: string;
  private readonly stamps: ReadonlyMap<string, string>;

  constructor(fileSystem: FileSystem, directory: string) {
    this.fileSystem = fileSystem;
    this.directory = directory;
    const names = fileSystem.list(directory).filter(isOfLog).sort();
    const last = names.findLast((name) => parseSegmentName(name) !== undefined);
    this.stamps = new Map(names.map((name) => [name, this.stampOf(name, name !== last)]));
  }

  /**
   * Was anything replaced or removed? What was only added, or appended to the last segment, does
   * not count.
   */
  hasChanged(): boolean {
    const last = [...this.stamps.keys()].findLast((name) => parseSegmentName(name) !== undefined);
    return [...this.stamps].some(([name, stamp]) => this.stampOf(name, name !== last) !== stamp);
  }

  /** Is a merge between its steps, be it that it was killed there? */
  isMerging(): boolean {
    return this.fileSystem.list(this.directory).some((name) => name.endsWith(MERGE_SUFFIX));
  }

  private stampOf(name: string, isFinal: boolean): string {
    const stat = this.fileSystem.stat(join(this.directory, name));
    return stat === undefined
      ? 'none'
      : `${stat.device}:${stat.inode}:${isFinal ? stat.sizeBytes : ''}`;
  }
}

function isOfLog(name: string): boolean {
  return (
    parseSegmentName(name) !== undefined ||
    parseSealName(name, SEAL_SUFFIX) !== undefined ||
    parseSealName(name, MERGE_SUFFIX) !== undefined
  );
}
