import { join } from 'node:path';
import { MAX_SEGMENT_ID, SEGMENT_SUFFIX } from './format.ts';

const SEGMENT_NAME = /^\d{8}\.dwal$/;

export function segmentName(segmentId: number): string {
  return String(segmentId).padStart(8, '0') + SEGMENT_SUFFIX;
}

export function segmentPath(directory: string, segmentId: number): string {
  return join(directory, segmentName(segmentId));
}

/** The id that a file name stands for, or undefined for anything that is not a segment. */
export function parseSegmentName(name: string): number | undefined {
  if (!SEGMENT_NAME.test(name)) return undefined;
  const segmentId = Number(name.slice(0, 8));
  return segmentId >= 1 && segmentId <= MAX_SEGMENT_ID ? segmentId : undefined;
}

/** The ids in a directory listing, ascending. */
export function segmentIds(names: readonly string[]): number[] {
  return names
    .map(parseSegmentName)
    .filter((segmentId) => segmentId !== undefined)
    .sort((a, b) => a - b);
}

/** `00000003.dwal:1234`, the form in which messages and commands name a place. */
export function placeName(segmentId: number, offset: number): string {
  return `${segmentName(segmentId)}:${offset}`;
}
