/**
 * What a program did to the disk, in order. Indexes into the list of events are the times at which the power can go.
 */
export type TraceEvent =
  | { readonly kind: 'write'; readonly inode: number; readonly position: number; readonly bytes: Buffer }
  | { readonly kind: 'truncate'; readonly inode: number; readonly sizeBytes: number }
  /** A sync that has returned. It covers what was done to the file before event number `since`, when it began. */
  | { readonly kind: 'dataSync'; readonly inode: number; readonly since: number }
  | { readonly kind: 'makeDirectory'; readonly path: string }
  | { readonly kind: 'removeDirectory'; readonly path: string }
  | { readonly kind: 'create'; readonly path: string; readonly inode: number }
  | { readonly kind: 'remove'; readonly path: string }
  | { readonly kind: 'rename'; readonly from: string; readonly to: string }
  | { readonly kind: 'directorySync'; readonly path: string; readonly since: number }
  /** The first `operations` of the workload were acknowledged as durable. */
  | { readonly kind: 'acknowledged'; readonly operations: number }
  /** The workload is done with its first `operations`, and the next record gets this txid. */
  | { readonly kind: 'appended'; readonly operations: number; readonly nextTxid: number };
