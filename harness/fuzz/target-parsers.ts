import { decodeFrame } from '../../src/engine/format/frame.ts';
import { OpenFile } from '../../src/engine/host/open-file.ts';
import { StoreFiles } from '../../src/engine/host/store-files.ts';
import { OPENING_SLICE_BYTES, Turns } from '../../src/engine/host/turns.ts';
import { inspectFrame } from '../../src/engine/index.ts';
import { MARK_FILE, readMark } from '../../src/engine/lock/durable-mark.ts';
import { LOCK_FILE, lockCarriesNonce } from '../../src/engine/lock/writer-lock.ts';
import { decodeSealHeader, encodeSealHeader, readSeal } from '../../src/engine/seal/seal-file.ts';
import { HintReader } from '../../src/engine/seal/seal-hints.ts';
import { FrameCursor, scanChunk } from '../../src/engine/segment/frame-cursor.ts';
import type { FixtureFiles } from '../corpus/fixture.ts';
import { MemoryFileSystem } from '../file-systems/memory-file-system.ts';
import type { Prng } from '../prng.ts';
import { pick } from './byte-mutation.ts';
import { type FuzzInput, type FuzzTarget, Mishandled, onlyPart } from './fuzz-target.ts';
import { mutateNamed } from './store-mutation.ts';

const DIRECTORY = '/store';

/** One mutated file of a seed store whose name matches. */
function mutatedFile(prng: Prng, seeds: readonly FixtureFiles[], name: RegExp): FuzzInput {
  const files = seeds.flatMap((seed) =>
    [...seed].filter((file) => name.test(file[0])).map((file) => ({ seed, file })),
  );
  const { seed, file } = pick(prng, files);
  const donor = pick(prng, files).file[1];
  let bytes = Buffer.from(file[1]);
  for (let changes = 1 + prng.below(3); changes > 0; changes--)
    bytes = Buffer.from(mutateNamed(prng, seed, file[0], bytes, donor));
  return new Map([[file[0], bytes]]);
}

function inMemory(name: string, bytes: Buffer): MemoryFileSystem {
  const fileSystem = new MemoryFileSystem();
  fileSystem.makeDirectory(DIRECTORY);
  fileSystem.shareFile(`${DIRECTORY}/${name}`, bytes);
  return fileSystem;
}

/** Every frame decoder at every offset of any bytes: never throws, and all of them say the same. */
export const framesTarget: FuzzTarget = {
  name: 'frames',
  weight: 24,
  make: (prng, seeds) => mutatedFile(prng, seeds, /\.dwal$/),
  check(input) {
    const bytes = onlyPart(input);
    const fileSystem = inMemory('segment', bytes);
    const descriptor = fileSystem.open(`${DIRECTORY}/segment`, 'read');
    const cursor = new FrameCursor({
      file: new OpenFile(fileSystem, descriptor),
      site: 'verify',
      segmentId: 1,
      endOffset: bytes.length,
      chunk: scanChunk([{ sizeBytes: bytes.length }]),
    });
    for (let state = cursor.next(); state !== 'end'; state = cursor.next()) {
      const decoded = decodeFrame(bytes, cursor.offset);
      if (decoded.ok !== (state === 'frame'))
        throw new Mishandled(
          `the cursor says ${state} at ${cursor.offset}, decodeFrame the opposite`,
        );
      const { verdict } = inspectFrame(bytes.subarray(cursor.offset));
      if ((verdict === 'valid') !== decoded.ok)
        throw new Mishandled(
          `inspectFrame says ${verdict} at ${cursor.offset}, decodeFrame the opposite`,
        );
      if (state === 'damaged') break;
    }
    // The first bytes of every offset, which includes headers that begin inside others.
    for (let at = 0; at < Math.min(bytes.length, 512); at++) decodeFrame(bytes, at);
  },
};

/**
 * Seals: whatever is taken for valid encodes to the bytes that it came from, and its hints stay
 * inside the file.
 */
export const sealsTarget: FuzzTarget = {
  name: 'seals',
  weight: 20,
  make: (prng, seeds) => mutatedFile(prng, seeds, /\.seal$/),
  async check(input) {
    const bytes = onlyPart(input);
    const header = decodeSealHeader(bytes.subarray(0, 188));
    if (header !== undefined && !encodeSealHeader(header).equals(bytes.subarray(0, 188)))
      throw new Mishandled('a seal header does not encode to what it was decoded from');
    const fileSystem = inMemory('00000001.seal', bytes);
    const files = new StoreFiles(fileSystem, DIRECTORY);
    const seal = await readSeal(files, 1, new Turns(OPENING_SLICE_BYTES));
    if (!(seal instanceof Object)) return;
    const file = files.open(`${DIRECTORY}/00000001.seal`, 'read');
    const reader = () => new HintReader(file, seal, HintReader.chunkFor([seal]));
    const hints = reader();
    untilRefused(() => {
      while (hints.next()) {
        if (hints.position > bytes.length || hints.keyAt + hints.keyLength > hints.bytes.length)
          throw new Mishandled('a hint reaches beyond the seal');
      }
    });
    const runs = reader();
    untilRefused(() => {
      for (let run = runs.nextRun(); run !== undefined; run = runs.nextRun()) {
        const last = run.starts[run.to - 1] as number;
        if (runs.position > bytes.length || last >= run.view.byteLength)
          throw new Mishandled('a run of hints reaches beyond the seal');
      }
    });
  },
};

function untilRefused(read: () => void): void {
  try {
    read();
  } catch (error) {
    if (!/changed while it was read/.test((error as Error).message)) throw error;
  }
}

/** The durable mark and the owner record of the lock. */
export const slotsTarget: FuzzTarget = {
  name: 'slots',
  weight: 20,
  make: (prng, seeds) => mutatedFile(prng, seeds, /^(?:durable-mark|\.lock)$/),
  check(input) {
    const bytes = onlyPart(input);
    const { newest } = readMark(inMemory(MARK_FILE, bytes), DIRECTORY);
    if (newest !== undefined) {
      const { offset, nextTxid, segmentId } = newest.mark;
      if (![offset, nextTxid, segmentId].every(Number.isSafeInteger))
        throw new Mishandled('a mark with numbers that are none');
    }
    lockCarriesNonce(inMemory(LOCK_FILE, bytes), DIRECTORY, Buffer.alloc(16));
  },
};
