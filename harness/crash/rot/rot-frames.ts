import { decodeFrame } from '../../../src/engine/format/frame.ts';

/** Where the whole frames of a segment end, ascending. */
export function frameEnds(bytes: Uint8Array): number[] {
  const ends: number[] = [];
  for (let offset = 0; offset < bytes.length; ) {
    const decoded = decodeFrame(Buffer.from(bytes), offset);
    if (!decoded.ok) break;
    offset += decoded.byteLength;
    ends.push(offset);
  }
  return ends;
}
