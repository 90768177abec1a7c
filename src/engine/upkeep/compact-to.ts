import { resolve } from 'node:path';
import { RecordType } from '../format/format.ts';
import { observed, unlessAborted } from '../host/observation.ts';
import type { OperationResults } from '../host/store-event.ts';
import { PAIR_WORK_BYTES, Turns } from '../host/turns.ts';
import { OpenLog } from '../log/open-log.ts';
import { buildStore } from './build-store.ts';

/** Copied between two turns of the event loop. */
const BYTES_PER_TURN = 1024 * 1024;

/**
 * Writes pairs (in byte order of their keys) as a new log with txids from 1. It is built beside the
 * target and renamed into place when it is durable: the target is there whole, or not at all.
 */
export async function compactTo(
  source: OpenLog,
  pairsFor: (operation: number) => Iterable<[Uint8Array, Uint8Array]>,
  outDirectory: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { probe, files, tail } = source;
  const target = resolve(outDirectory);
  const result: OperationResults['compact'] = {
    outcome: 'failed',
    inputBytes: 0,
    outputBytes: 0,
  };
  const work = async (operation: number) => {
    try {
      result.outputBytes = await buildStore(files.fileSystem, target, (directory) =>
        copyPairs(source, pairsFor(operation), directory, signal),
      );
      result.outcome = 'ok';
    } finally {
      result.inputBytes = tail.totalBytes;
    }
  };
  await observed(probe, 'compact', result, work, unlessAborted(signal, 'compact', target));
}

async function copyPairs(
  source: OpenLog,
  pairs: Iterable<[Uint8Array, Uint8Array]>,
  directory: string,
  signal: AbortSignal | undefined,
): Promise<number> {
  const { segmentBytes } = source;
  const { fileSystem } = source.files;
  const log = await OpenLog.open(directory, { fileSystem, segmentBytes });
  let copiedBytes = 0;
  try {
    const turns = new Turns(BYTES_PER_TURN, () => signal?.throwIfAborted());
    signal?.throwIfAborted();
    for (const [key, value] of pairs) {
      const { byteLength } = log.writer.append(RecordType.Put, key, value);
      copiedBytes += byteLength;
      if (turns.isDue(Math.max(byteLength, PAIR_WORK_BYTES))) await turns.next();
    }
  } finally {
    await log.close();
  }
  return copiedBytes;
}
