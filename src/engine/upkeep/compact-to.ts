import { resolve } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { RecordType } from '../format/format.ts';
import { observed, unlessAborted } from '../host/observation.ts';
import { buildStore } from '../host/store-directory.ts';
import type { OperationResults } from '../host/store-event.ts';
import { OpenLog } from '../log/open-log.ts';

/** Copied between two turns of the event loop. */
const BYTES_A_TURN = 1024 * 1024;

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
    let turnEnd = BYTES_A_TURN;
    for (const [key, value] of pairs) {
      signal?.throwIfAborted();
      copiedBytes += log.writer.append(RecordType.Put, key, value).byteLength;
      if (copiedBytes < turnEnd) continue;
      turnEnd = copiedBytes + BYTES_A_TURN;
      await nextTurn();
    }
  } finally {
    await log.close();
  }
  return copiedBytes;
}
