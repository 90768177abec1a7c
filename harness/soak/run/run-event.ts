export interface RunEvent {
  readonly kind: 'rotation' | 'compaction' | 'reopen' | 'kill';
  /** When it ended (a rotation: when it was first seen), since the beginning of the run. */
  readonly elapsedS: number;
  /** The duration of a compaction, a reopening or a kill with its recovery; 0 for a rotation. */
  readonly durationMs: number;
  /** Operations done until then. */
  readonly operations: number;
  /** There for a kill. */
  readonly kill?: KillTold;
}

/** What had been promised when a process was killed, and what became of the store. */
export interface KillTold {
  /** Counted from 1. */
  readonly number: number;
  /** How many kills the run was asked for. */
  readonly asked: number;
  /** Operations that had returned. */
  readonly acknowledgedOperations: number;
  /** Operations that a finished sync had covered. */
  readonly syncedOperations: number;
  /** How long before the kill the last sync had ended; null when there had been none. */
  readonly sinceSyncMs: number | null;
  /** What the contract says outlives a kill. */
  readonly survives: 'put' | 'sync';
  /** The next process opened the store, and found in it what it should. */
  readonly recovered: boolean;
}
