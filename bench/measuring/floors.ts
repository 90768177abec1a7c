import fs from 'node:fs';
import { join } from 'node:path';
import type { Work } from './group.ts';
import { FRAME_BYTES, formKey, KEY_BYTES, type Places } from './workload.ts';

/** Reads of whole frames in the given order: what a get cannot be faster than. */
export function readFloor(
  id: string,
  calls: number,
  order: Uint32Array,
  { segments, offsets }: Places,
  descriptors: readonly (number | undefined)[],
): Work {
  const key = Buffer.alloc(KEY_BYTES);
  const buffer = Buffer.alloc(FRAME_BYTES);
  return {
    id,
    name: `fs.readSync of ${FRAME_BYTES} bytes`,
    unit: 'ns',
    calls,
    run() {
      for (let call = 0; call < calls; call++) {
        const index = order[call % order.length] as number;
        // Both sides form the key, so that only the store's work differs.
        formKey(key, index);
        const descriptor = descriptors[segments[index] as number] as number;
        fs.readSync(descriptor, buffer, 0, FRAME_BYTES, offsets[index] as number);
      }
    },
  };
}

/** Writes of a frame's bytes at growing positions: what a put cannot be faster than. */
export function writeFloor(id: string, calls: number, descriptor: number): Work {
  const key = Buffer.alloc(KEY_BYTES);
  const frame = Buffer.alloc(FRAME_BYTES, 7);
  let position = 0;
  return {
    id,
    name: `fs.writeSync of ${FRAME_BYTES} bytes`,
    unit: 'ns',
    calls,
    run() {
      for (let call = 0; call < calls; call++) {
        formKey(key, call);
        fs.writeSync(descriptor, frame, 0, FRAME_BYTES, position);
        position += FRAME_BYTES;
      }
    },
  };
}

/**
 * An append and its `fdatasync` in the thread pool, one after the other: what a durable put cannot
 * be faster than.
 */
export function durableFloor(id: string, calls: number, descriptor: number): Work {
  const frame = Buffer.alloc(FRAME_BYTES, 7);
  let position = 0;
  return {
    id,
    name: 'fs.writeSync and fs.fdatasync',
    unit: 'ns',
    calls,
    async run() {
      for (let call = 0; call < calls; call++) {
        fs.writeSync(descriptor, frame, 0, FRAME_BYTES, position);
        position += FRAME_BYTES;
        await new Promise<void>((resolve, reject) => {
          fs.fdatasync(descriptor, (error) => (error === null ? resolve() : reject(error)));
        });
      }
    },
  };
}

/** Read descriptors of the segments in a directory, by their ids. */
export function openSegments(directory: string): (number | undefined)[] {
  const descriptors: (number | undefined)[] = [];
  for (const name of fs.readdirSync(directory)) {
    if (/^\d{8}\.dwal$/.test(name)) {
      descriptors[Number.parseInt(name, 10)] = fs.openSync(join(directory, name), 'r');
    }
  }
  return descriptors;
}

export function closeAll(descriptors: readonly (number | undefined)[]): void {
  for (const descriptor of descriptors) if (descriptor !== undefined) fs.closeSync(descriptor);
}
