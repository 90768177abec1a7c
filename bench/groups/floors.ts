import fs from 'node:fs';
import { join } from 'node:path';
import { durableFloor, readFloor, writeFloor } from '../measuring/floors.ts';
import { type Group, type GroupContext, scaled } from '../measuring/group.ts';
import { FRAME_BYTES, shuffledIndexes } from '../measuring/workload.ts';

const FRAMES = 100_000;
const SYNCS = 640;

/** The raw calls alone, on files without a store. */
export function floorsGroup({ directory, scale }: GroupContext): Group {
  const frames = scaled(FRAMES, scale);
  const path = join(directory, 'frames');
  fs.writeFileSync(path, Buffer.alloc(frames * FRAME_BYTES, 7));
  const read = fs.openSync(path, 'r');
  const written = fs.openSync(join(directory, 'written'), 'w+');
  const synced = fs.openSync(join(directory, 'synced'), 'w+');
  const places = {
    segments: new Uint32Array(frames),
    offsets: Float64Array.from({ length: frames }, (_, index) => index * FRAME_BYTES),
  };
  return {
    works: [
      readFloor('read', frames, shuffledIndexes(frames), places, [read]),
      writeFloor('write', frames, written),
      durableFloor('write-sync', scaled(SYNCS, scale), synced),
    ],
    async finish() {
      for (const descriptor of [read, written, synced]) fs.closeSync(descriptor);
    },
  };
}
