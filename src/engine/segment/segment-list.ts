import { MAX_SEGMENT_FILE_BYTES } from '../format/format.ts';
import { segmentIds, segmentPath } from '../format/segment-name.ts';
import { StoreError } from '../host/errors.ts';
import type { FileSystem } from '../host/file-system.ts';

export interface LogSegment {
  readonly segmentId: number;
  /** Bytes kept, which is all of the file unless something was discarded. */
  readonly sizeBytes: number;
}

/**
 * The segments of a directory, ascending. What only has the name of a segment (a directory, say) is
 * not one, and is told to `onStranger`.
 */
export function listSegments(
  fileSystem: FileSystem,
  directory: string,
  onStranger?: (segmentId: number, kind: 'directory' | 'other') => void,
): LogSegment[] {
  const segments: LogSegment[] = [];
  for (const segmentId of segmentIds(fileSystem.list(directory))) {
    const stat = fileSystem.stat(segmentPath(directory, segmentId));
    if (stat === undefined) continue;
    if (stat.kind !== 'file') {
      onStranger?.(segmentId, stat.kind);
      continue;
    }
    if (stat.sizeBytes > MAX_SEGMENT_FILE_BYTES) {
      throw new StoreError(
        'LOG_FULL',
        `segment ${segmentId} is longer than the ${MAX_SEGMENT_FILE_BYTES} bytes addressed`,
        {
          path: directory,
          segmentId,
        },
      );
    }
    segments.push({ segmentId, sizeBytes: stat.sizeBytes });
  }
  return segments;
}
