/** Bytes of a file. */
export interface ByteRange {
  readonly offset: number;
  readonly byteLength: number;
}

/** Index of the one that holds the offset, of ranges that ascend and do not overlap; or -1. */
export function rangeAt(ranges: readonly ByteRange[], offset: number): number {
  let low = 0;
  for (let high = ranges.length; low < high; ) {
    const middle = (low + high) >>> 1;
    if ((ranges[middle] as ByteRange).offset <= offset) low = middle + 1;
    else high = middle;
  }
  const range = ranges[low - 1];
  return range !== undefined && offset < range.offset + range.byteLength ? low - 1 : -1;
}
