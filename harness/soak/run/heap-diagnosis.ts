import { readFileSync } from 'node:fs';
import { writeHeapSnapshot } from 'node:v8';
import type { KeyedValues } from '../../keyed-values.ts';
import type { OpenStoreUnderTest, StoreUnderTest } from '../../store-under-test.ts';
import type { Operation, Workload } from '../../workload.ts';
import { HeapSnapshot } from './heap-snapshot.ts';
import type { Ledger } from './ledger.ts';

/** What grew in the heap of a running store, and what holds it. */
export interface HeapDiagnosis {
  /** Operations between the two snapshots. */
  readonly operations: number;
  /** The constructors that grew most, the largest first. */
  readonly grown: readonly {
    /** The name of a constructor, or the kind of what has none. */
    readonly kind: string;
    readonly bytesPerOperation: number;
    readonly objectsPerOperation: number;
  }[];
  /** One way to what grew: variables, properties and elements, from the outside in. */
  readonly path: readonly string[];
  /** Where code is that sees the first of them: `file:line`. */
  readonly place: string | null;
}

export interface DiagnosedRun {
  readonly open: OpenStoreUnderTest;
  readonly directory: string;
  readonly values: KeyedValues;
  readonly ledger: Ledger;
  readonly workload: Workload;
}

/** Before the first snapshot everything has been compiled, and what is made once is made. */
const WARM_UP_OPERATIONS = 20_000;
const OPERATIONS = 20_000;
/** A slow store does as many as it can. */
const WITHIN_MS = 10_000;
const SYNC_EVERY_OPERATIONS = 2_000;
const LISTED_CONSTRUCTORS = 5;
/** Less than this per operation is V8's own, or chance. */
const LEAST_BYTES_PER_OPERATION = 0.5;
const LEAST_OBJECTS_PER_OPERATION = 0.01;

/** Two snapshots of one process, as files, and the operations between them. */
export interface HeapSnapshots {
  readonly operations: number;
  readonly before: string;
  readonly after: string;
}

/**
 * Runs the workload of a soak on a fresh store, and writes down what the heap holds after a while
 * and after as much again. The same store stays open in between. They are compared in another
 * process, whose own objects are in neither.
 */
export async function takeHeapSnapshots(run: DiagnosedRun): Promise<HeapSnapshots> {
  const store = await run.open(run.directory);
  await work(run, store, WARM_UP_OPERATIONS);
  const before = writeHeapSnapshot(`${run.directory}.before`);
  const operations = await work(run, store, OPERATIONS);
  const after = writeHeapSnapshot(`${run.directory}.after`);
  await store.close();
  return { operations, before, after };
}

export function compareHeapSnapshots(snapshots: HeapSnapshots): HeapDiagnosis {
  const { operations } = snapshots;
  const [ids, heldBefore] = summaryOf(snapshots.before);
  const after = new HeapSnapshot(readFileSync(snapshots.after, 'utf8'));
  const grown = [...after.byConstructor()]
    .map(([name, { bytes, objects }]) => ({
      kind: name,
      bytesPerOperation: (bytes - (heldBefore.get(name)?.bytes ?? 0)) / operations,
      objectsPerOperation: (objects - (heldBefore.get(name)?.objects ?? 0)) / operations,
    }))
    .filter(({ bytesPerOperation }) => bytesPerOperation >= LEAST_BYTES_PER_OPERATION)
    .toSorted((a, b) => b.bytesPerOperation - a.bytesPerOperation)
    .slice(0, LISTED_CONSTRUCTORS);
  // The backing store of an array grows with what lies in it, which says more.
  const most =
    grown.find(({ objectsPerOperation }) => objectsPerOperation >= LEAST_OBJECTS_PER_OPERATION) ??
    grown[0];
  const path = most === undefined ? undefined : after.pathTo(most.kind, ids);
  return { operations, grown, path: path?.steps ?? [], place: path?.place ?? null };
}

/** Only what is needed of the first is kept while the second is read. */
function summaryOf(path: string) {
  const snapshot = new HeapSnapshot(readFileSync(path, 'utf8'));
  return [snapshot.ids(), snapshot.byConstructor()] as const;
}

/** How many were done. */
async function work(
  { values, ledger, workload }: DiagnosedRun,
  store: StoreUnderTest,
  operations: number,
): Promise<number> {
  const untilMs = performance.now() + WITHIN_MS;
  for (let done = 0; done < operations; done++) {
    const operation: Operation | undefined = workload.next();
    if (operation === undefined || performance.now() > untilMs) return Math.max(1, done);
    const key = values.keyOf(operation.keyNumber);
    if (operation.kind === 'put')
      await store.put(key, values.valueOf(operation.keyNumber, operation.version));
    else if (operation.kind === 'delete') await store.delete(key);
    else await store.get(key);
    ledger.enter(operation);
    if (done % SYNC_EVERY_OPERATIONS === 0) await store.sync?.();
    // The store may have timers of its own.
    if (done % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  return operations;
}

/** In words, line by line. */
export function describeHeapDiagnosis({ grown, path, place, operations }: HeapDiagnosis): string[] {
  if (grown.length === 0)
    return [`in ${operations} operations on a fresh store nothing grew in the heap`];
  return [
    ...grown.map(
      ({ kind, bytesPerOperation, objectsPerOperation }) =>
        `${kind}: ${bytesPerOperation.toFixed(1)} bytes and ${objectsPerOperation.toFixed(2)} objects more per operation`,
    ),
    ...(path.length === 0
      ? []
      : [`held by ${path.join(' -> ')}${place === null ? '' : `, seen from ${place}`}`]),
  ];
}
