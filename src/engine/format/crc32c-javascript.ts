/** Castagnoli's, lowest bit first. */
const REVERSED_POLYNOMIAL = 0x82f63b78;

/**
 * Tables for eight places behind the current one: what a byte there adds to the remainder ("slicing
 * by 8").
 */
const TABLES = makeTables();

/**
 * The checksum of bytes, continuing from that of what precedes them. Some six times as fast as a
 * table for one place, and a fifteenth of native code.
 */
export function crc32cInJavaScript(bytes: Uint8Array, previous = 0): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return ~remainderOf(view, 0, bytes.byteLength, ~previous) >>> 0;
}

/** The remainder behind the bytes of `view` in `[start, end)`, from the one before them. */
export function remainderOf(view: DataView, start: number, end: number, remainder: number): number {
  const table = TABLES;
  let crc = remainder;
  let at = start;
  for (const slicesEnd = start + ((end - start) & ~7); at < slicesEnd; at += 8) {
    const low = view.getInt32(at, true) ^ crc;
    const high = view.getInt32(at + 4, true);
    // In pairs: in one row each step would wait for the one before it.
    crc =
      (table[0x700 + (low & 0xff)] as number) ^
      (table[0x600 + ((low >>> 8) & 0xff)] as number) ^
      ((table[0x500 + ((low >>> 16) & 0xff)] as number) ^ (table[0x400 + (low >>> 24)] as number)) ^
      ((table[0x300 + (high & 0xff)] as number) ^
        (table[0x200 + ((high >>> 8) & 0xff)] as number) ^
        ((table[0x100 + ((high >>> 16) & 0xff)] as number) ^ (table[high >>> 24] as number)));
  }
  if (end - at >= 4) {
    const rest = view.getInt32(at, true) ^ crc;
    crc =
      (table[0x300 + (rest & 0xff)] as number) ^
      (table[0x200 + ((rest >>> 8) & 0xff)] as number) ^
      ((table[0x100 + ((rest >>> 16) & 0xff)] as number) ^ (table[rest >>> 24] as number));
    at += 4;
  }
  for (; at < end; at++) crc = (crc >>> 8) ^ (table[(crc ^ view.getUint8(at)) & 0xff] as number);
  return crc;
}

function makeTables(): Int32Array {
  const tables = new Int32Array(8 * 256);
  for (let byte = 0; byte < 256; byte++) {
    let remainder = byte;
    for (let bit = 0; bit < 8; bit++) {
      remainder = (remainder & 1) === 0 ? remainder >>> 1 : (remainder >>> 1) ^ REVERSED_POLYNOMIAL;
    }
    tables[byte] = remainder;
  }
  for (let at = 256; at < tables.length; at++) {
    const before = tables[at - 256] as number;
    tables[at] = (before >>> 8) ^ (tables[before & 0xff] as number);
  }
  return tables;
}
