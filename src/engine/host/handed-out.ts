import { markAsUntransferable } from 'node:worker_threads';

/**
 * Memory for values that are handed out. Several may share one buffer only where no caller can take
 * that away from the others: a transfer (`structuredClone`, `postMessage`, `ArrayBuffer.transfer`)
 * of one value's buffer would empty its neighbours. Node lets us forbid it; in Node 22
 * `ArrayBuffer.prototype.transfer` does not ask, and there each value gets a buffer of its own.
 */
export const CAN_SHARE_BUFFERS = marksHold();

/** A buffer for many values; where it is short-lived or of one value, it need not be one. */
export function sharedBuffer(sizeBytes: number): Buffer {
  const buffer = Buffer.allocUnsafeSlow(sizeBytes);
  markAsUntransferable(buffer.buffer);
  return buffer;
}

/** A copy of `bytes[start, end)` for a caller, from Node's own pool where that is safe. */
export function handedOut(bytes: Uint8Array, start: number, end: number): Buffer {
  const range = bytes.subarray(start, end);
  if (CAN_SHARE_BUFFERS) return Buffer.from(range);
  const copy = Buffer.allocUnsafeSlow(range.length);
  copy.set(range);
  return copy;
}

/** Tried once, because it depends on the runtime and not on its number. */
function marksHold(): boolean {
  if (typeof markAsUntransferable !== 'function') return false;
  const buffer = new ArrayBuffer(8);
  markAsUntransferable(buffer);
  const takeAway = [
    () => structuredClone(buffer, { transfer: [buffer] }),
    () => (buffer as ArrayBuffer & { transfer?: () => unknown }).transfer?.(),
  ];
  for (const take of takeAway) {
    try {
      take();
    } catch {
      // That is how it should be.
    }
  }
  return buffer.byteLength === 8;
}
