import type { LogOptions } from './log-options.ts';
import { type ReaderOptions, StoreReader } from './reader.ts';
import { RecordLog } from './record-log.ts';
import { Store, type StoreOptions } from './store.ts';

export type { BackupReport } from './backup.ts';
export type { BytesLike } from './bytes.ts';
export type { AutoCompactionOptions, CompactionReport, CompactOptions } from './compactor.ts';
export { StoreError, type StoreErrorCode, type StoreErrorDetails } from './errors.ts';
export type { ExportOptions } from './export.ts';
export type { FileStat, FileSystem, KernelLockResult, Lease, OpenMode } from './file-system.ts';
export type { FollowOptions } from './follow.ts';
export { MAX_FRAME_BYTES, MAX_KEY_BYTES, MAX_PAYLOAD_BYTES, RecordType, WIRE_VERSION } from './format.ts';
export type { LogRecord, RecordRef } from './frame.ts';
export { type FrameInspection, type InspectedField, inspectFrame } from './frame-inspection.ts';
export { checkJsonl } from './import.ts';
export type { LogOptions } from './log-options.ts';
export type { LogStats } from './log-stats.ts';
export type { LogPosition } from './log-sync.ts';
export type { LostRange } from './lost-ranges.ts';
export { NodeFileSystem } from './node-file-system.ts';
export type { OperationMessage } from './operation-channels.ts';
export {
  NOT_TIMED,
  type OperationKind,
  operationKey,
  type Probe,
  type ProbeGauges,
  type ProbeSource,
  type ReadSite,
  type RefusedKind,
} from './probe.ts';
export type { ReaderOptions, StoreReader } from './reader.ts';
export type { RecordLog } from './record-log.ts';
export type { RecoveryMode } from './recovery.ts';
export type {
  Discarded,
  QuarantinedRange,
  RecoveryReport,
  ReportedMark,
  SnapshotReport,
} from './recovery-report.ts';
export type { Damage } from './recovery-verdict.ts';
export { type SalvageReport, salvage } from './salvage.ts';
export type { SealedRecord, SealedRecords } from './seal-witness.ts';
export type { ScannedRecord } from './segment-records.ts';
export type { BatchOperation, Store, StoreOptions, StoreStats } from './store.ts';
export type { VerifyOptions } from './verify-pace.ts';
export type { VerifyDamage, VerifyFault, VerifyReport } from './verify-report.ts';

/** Opens the store in `directory`, creating it when there is none, and takes the writer lock. See `Store.open`. */
export function openStore(directory: string, options?: StoreOptions): Promise<Store> {
  return Store.open(directory, options);
}

/** Opens the record log under a store: the same files, without the key-value view. See `RecordLog.open`. */
export function openLog(directory: string, options?: LogOptions): Promise<RecordLog> {
  return RecordLog.open(directory, options);
}

/** Opens a snapshot for reading, without the lock. See `StoreReader.open`. */
export function openReader(directory: string, options?: ReaderOptions): Promise<StoreReader> {
  return StoreReader.open(directory, options);
}
