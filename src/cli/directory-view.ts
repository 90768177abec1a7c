import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

export interface FileOnDisk {
  readonly name: string;
  readonly sizeBytes: number;
  readonly kind: 'file' | 'directory' | 'link' | 'other';
}

export interface SegmentOnDisk {
  readonly segmentId: number;
  readonly sizeBytes: number;
  readonly hasSeal: boolean;
}

/** What lies in the directory of a store, by name. Links are not followed. */
export interface DirectoryView {
  readonly files: readonly FileOnDisk[];
  /** Ascending. */
  readonly segments: readonly SegmentOnDisk[];
}

export function viewDirectory(directory: string): DirectoryView {
  const files = readdirSync(directory)
    .sort()
    .flatMap((name): FileOnDisk[] => {
      // A file that a writer removes meanwhile is not there.
      const stat = lstatSync(join(directory, name), { throwIfNoEntry: false });
      if (stat === undefined) return [];
      const kind = stat.isFile()
        ? 'file'
        : stat.isDirectory()
          ? 'directory'
          : stat.isSymbolicLink()
            ? 'link'
            : 'other';
      return [{ name, sizeBytes: stat.size, kind }];
    });
  const names = new Set(files.map(({ name }) => name));
  const segments = files
    .filter(({ name }) => /^\d{8}\.dwal$/.test(name))
    .map(({ name, sizeBytes }) => ({
      segmentId: Number(name.slice(0, 8)),
      sizeBytes,
      hasSeal: names.has(`${name.slice(0, 8)}.seal`),
    }));
  return { files, segments };
}

/** None where there is no directory: the opening that follows says so better. */
export function existingSegments(directory: string): readonly SegmentOnDisk[] {
  try {
    return viewDirectory(directory).segments;
  } catch {
    return [];
  }
}

export interface IgnoredTail {
  readonly segmentId: number;
  readonly offset: number;
  /** To the end of the last segment. */
  readonly byteLength: number;
}

/**
 * Where a snapshot that kept so many bytes ends, when bytes follow it on disk. Segments that were
 * appended to since are longer than the snapshot saw: what is behind its end may be a write in
 * flight.
 */
export function ignoredTail(
  segments: readonly SegmentOnDisk[],
  keptBytes: number,
): IgnoredTail | undefined {
  const totalBytes = segments.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  if (totalBytes <= keptBytes) return undefined;
  let rest = keptBytes;
  for (const { segmentId, sizeBytes } of segments) {
    if (rest < sizeBytes) return { segmentId, offset: rest, byteLength: totalBytes - keptBytes };
    rest -= sizeBytes;
  }
  return undefined;
}
