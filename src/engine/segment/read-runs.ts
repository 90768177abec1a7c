import type { FrameRef } from './segment-files.ts';

/** Bytes between two frames that are read along, because that costs less than another call. */
const GAP_BYTES = 4096;
const LONGEST_RUN_BYTES = 256 * 1024;

/** One frame of several that are wanted; `index` is its place among those asked for. */
export interface WantedFrame extends FrameRef {
  readonly index: number;
}

/**
 * Sorts frames by place, and joins those of one file that lie close together into runs. Each is
 * read with one pread.
 */
export function readRuns(wanted: WantedFrame[]): WantedFrame[][] {
  const byPlace = (a: WantedFrame, b: WantedFrame) => a.file - b.file || a.offset - b.offset;
  // Keys are often asked for in the order in which they were written.
  if (
    wanted.some((frame, index) => index > 0 && byPlace(wanted[index - 1] as WantedFrame, frame) > 0)
  )
    wanted.sort(byPlace);
  const runs: WantedFrame[][] = [];
  for (const frame of wanted) {
    const run = runs.at(-1);
    const [first, last] = [run?.[0], run?.at(-1)];
    if (
      run !== undefined &&
      first !== undefined &&
      last !== undefined &&
      frame.file === first.file &&
      frame.offset <= last.offset + last.byteLength + GAP_BYTES &&
      frame.offset + frame.byteLength - first.offset <= LONGEST_RUN_BYTES
    ) {
      run.push(frame);
    } else runs.push([frame]);
  }
  return runs;
}
