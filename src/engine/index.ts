import { RecordLog } from './log/record-log.ts';
import { type ReaderOptions, StoreReader } from './read/reader.ts';
import type { LogOptions } from './recovery/log-options.ts';
import { Store, type StoreOptions } from './store.ts';

export type { BytesLike } from './format/bytes.ts';
export {
  MAX_FRAME_BYTES,
  MAX_KEY_BYTES,
  MAX_PAYLOAD_BYTES,
  RecordType,
  WIRE_VERSION,
} from './format/format.ts';
export type { LogRecord, RecordRef } from './format/frame.ts';
export {
  type FrameInspection,
  type InspectedField,
  inspectFrame,
} from './format/frame-inspection.ts';
export { StoreError, type StoreErrorCode, type StoreErrorDetails } from './host/errors.ts';
export type {
  FileStat,
  FileSystem,
  KernelLockResult,
  Lease,
  OpenMode,
} from './host/file-system.ts';
export { fileSystemName, NodeFileSystem } from './host/node-file-system.ts';
export type { OperationMessage } from './host/operation-channels.ts';
export { checkInteger, checkNumber, checkOptions } from './host/options.ts';
export { printableText } from './host/printable-text.ts';
export {
  NOT_TIMED,
  operationKey,
  type Probe,
  type ProbeGauges,
  type ProbeSource,
  type ReadSite,
} from './host/probe.ts';
export type { Runtime } from './host/runtime.ts';
export type {
  OperationEvent,
  OperationKind,
  OperationResults,
  RefusedKind,
  StoreEvent,
  StoreOccurrence,
  Timed,
} from './host/store-event.ts';
export type { StoreWriter } from './lock/writer-lock.ts';
export type { LogStats } from './log/log-stats.ts';
export type { LogPosition } from './log/log-tail.ts';
export type { RecordLog } from './log/record-log.ts';
export type {
  AutoCompactionOptions,
  CompactionReport,
  CompactOptions,
} from './merge/merge-scheduler.ts';
export {
  type EncodedOperation,
  type EncodedReader,
  type EncodedStore,
  type EncodedTypes,
  type Encoding,
  type EncodingName,
  type EncodingOptions,
  encoded,
  type WritableView,
} from './read/encoded.ts';
export type { FollowOptions } from './read/follow.ts';
export type { KeyValueView } from './read/key-value-view.ts';
export type { ReaderOptions, StoreReader } from './read/reader.ts';
export type { Contradiction } from './recovery/directory-evidence.ts';
export type { LogOptions } from './recovery/log-options.ts';
export type { RecoveryMode } from './recovery/recovery.ts';
export type {
  Discarded,
  QuarantinedRange,
  RecoveryReport,
  ReportedMark,
  SnapshotReport,
} from './recovery/recovery-report.ts';
export type { Damage } from './recovery/recovery-verdict.ts';
export type { SealedRecord, SealedRecords } from './seal/seal-inventory.ts';
export type { ScannedRecord } from './segment/segment-records.ts';
export type { BatchOperation, Store, StoreOptions, StoreStats } from './store.ts';
export type { BackupOptions, BackupReport } from './upkeep/backup.ts';
export type { ExportOptions } from './upkeep/export.ts';
export { checkJsonl, type ImportOptions } from './upkeep/import.ts';
export type { LostRange } from './upkeep/lost-ranges.ts';
export { type SalvageOptions, type SalvageReport, salvage } from './upkeep/salvage.ts';
export { type StoreSurroundings, storeSurroundings } from './upkeep/surroundings.ts';
export { type StoreSurvey, type SurveyedSegment, surveyStore } from './upkeep/survey.ts';
export type { VerifyOptions } from './upkeep/verify-pace.ts';
export type { VerifyDamage, VerifyFault, VerifyReport } from './upkeep/verify-report.ts';

/**
 * Opens the store in `directory`, creating it when there is none, and takes the writer lock. See
 * `Store.open`.
 */
export function openStore(directory: string, options?: StoreOptions): Promise<Store> {
  return Store.open(directory, options);
}

/**
 * Opens the record log under a store: the same files, without the key-value view. See
 * `RecordLog.open`.
 */
export function openLog(directory: string, options?: LogOptions): Promise<RecordLog> {
  return RecordLog.open(directory, options);
}

/** Opens a snapshot for reading, without the lock. See `StoreReader.open`. */
export function openReader(directory: string, options?: ReaderOptions): Promise<StoreReader> {
  return StoreReader.open(directory, options);
}
