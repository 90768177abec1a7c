import type { Attributes } from '@opentelemetry/api';
import type { OperationEvent, StoreEvent } from '../engine/index.ts';

/** What is said of an operation when it has ended, by its kind. */
const ATTRIBUTES: {
  readonly [Kind in OperationEvent['kind']]: (
    event: Extract<OperationEvent, { kind: Kind }>,
  ) => Attributes;
} = {
  getMany: ({ hits }) => ({ 'db.response.returned_rows': hits }),
  batch: ({ puts, deletes, frameBytes }) => ({
    'db.operation.batch.size': puts + deletes,
    'tidemark.frame_bytes': frameBytes,
  }),
  sync: ({ waiters, syncedBytes }) => ({
    'tidemark.waiters': waiters,
    'tidemark.synced_bytes': syncedBytes,
  }),
  durableWait: () => ({}),
  scan: ({ records }) => ({ 'db.response.returned_rows': records }),
  compact: ({ outcome, inputBytes, outputBytes }) => ({
    'tidemark.outcome': outcome,
    'tidemark.input_bytes': inputBytes,
    'tidemark.output_bytes': outputBytes,
  }),
  open: ({ outcome, truncatedBytes }) => ({
    'tidemark.outcome': outcome,
    'tidemark.truncated_bytes': truncatedBytes,
  }),
  seal: ({ segmentId, sealBytes }) => ({
    'tidemark.segment': segmentId,
    'tidemark.seal_bytes': sealBytes,
  }),
  verify: ({ outcome, records, scannedBytes, damagedRanges }) => ({
    'tidemark.outcome': outcome,
    'tidemark.records': records,
    'tidemark.scanned_bytes': scannedBytes,
    'tidemark.damaged_ranges': damagedRanges,
  }),
  backup: ({ linkedBytes, copiedBytes }) => ({
    'tidemark.linked_bytes': linkedBytes,
    'tidemark.copied_bytes': copiedBytes,
  }),
};

export function isEndOfOperation(event: StoreEvent): event is OperationEvent {
  return Object.hasOwn(ATTRIBUTES, event.kind);
}

export function attributesOf(event: OperationEvent): Attributes {
  // Each kind has the entry for events of its own kind, which the type cannot say of a lookup.
  const ofKind = ATTRIBUTES[event.kind] as (event: OperationEvent) => Attributes;
  return ofKind(event);
}
