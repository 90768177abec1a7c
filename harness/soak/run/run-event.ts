export interface RunEvent {
  readonly kind: 'rotation' | 'compaction' | 'reopen' | 'kill';
  /** When it ended (a rotation: when it was first seen), since the beginning of the run. */
  readonly elapsedS: number;
  /** The duration of a compaction, a reopening or a kill with its recovery; 0 for a rotation. */
  readonly durationMs: number;
  /** Operations done until then. */
  readonly operations: number;
}
