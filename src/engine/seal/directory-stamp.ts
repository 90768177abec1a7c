import { join } from 'node:path';
import { parseSegmentName } from '../format/segment-name.ts';
import type { FileSystem } from '../host/file-system.ts';
import { MERGE_SUFFIX, parseSealName, SEAL_SUFFIX } from './seal-file.ts';

/**
 * What files of the log a directory held at one moment. A reader without the lock asks later
 * whether one of them was replaced or removed.
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

  /** Is a merge between two of its steps? It may be at work, or have been killed there. */
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
