import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Gate } from './gates/gate.ts';
import type { SoakConfiguration } from './run/configuration.ts';
import {
  compareHeapSnapshots,
  type HeapDiagnosis,
  type HeapSnapshots,
} from './run/heap-diagnosis.ts';
import { StoreProcess } from './run/store-process.ts';

/** Series that rise when objects are kept. */
const OF_THE_HEAP: ReadonlySet<string | null> = new Set([
  'heap_used_bytes',
  'heap_used_after_gc_bytes',
  'external_bytes',
  'array_buffers_bytes',
]);

export function isAboutTheHeap({ series, verdict }: Gate): boolean {
  return verdict === 'failed' && OF_THE_HEAP.has(series);
}

/**
 * What grows in the heap, from a process of its own: snapshots taken during the run would have been
 * measured as its memory. Undefined when the process cannot tell, or the signal comes first.
 */
export async function askAboutTheHeap(
  configuration: SoakConfiguration,
  directory: string,
  signal: AbortSignal | undefined,
): Promise<HeapDiagnosis | undefined> {
  const { chaos: _, telemetry: __, ...rest } = configuration;
  let snapshots: HeapSnapshots | undefined;
  const life = new StoreProcess(
    0,
    (message) => {
      if (message.type === 'heap-snapshots') snapshots = message.snapshots;
    },
    () => {},
  );
  const stop = () => life.kill();
  signal?.addEventListener('abort', stop, { once: true });
  try {
    if (signal?.aborted || (await life.prepare(rest)) === undefined) return undefined;
    const store = join(directory, 'store');
    mkdirSync(store, { recursive: true });
    life.send({ type: 'diagnose-heap', directory: store });
    await life.ended;
    return snapshots === undefined ? undefined : compareHeapSnapshots(snapshots);
  } finally {
    signal?.removeEventListener('abort', stop);
    life.kill();
    rmSync(directory, { recursive: true, force: true });
  }
}
