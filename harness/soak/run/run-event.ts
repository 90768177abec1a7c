export interface RunEvent {
  readonly kind: 'rotation' | 'compaction' | 'reopen' | 'kill';
  /** When it ended (a rotation: when it was first seen), since the beginning of the run. */
  readonly elapsedS: number;
  /** Of compactions, reopens, and kills (with the recovery); 0 for a rotation. */
  readonly durationMs: number;
  /** Operations done until then. */
  readonly operations: number;
}
