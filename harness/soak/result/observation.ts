import type { CountedCheckpoint } from '../gates/gates.ts';
import type { RunTotals } from '../run/ledger.ts';
import type { OperationLatency } from '../run/operation-latency.ts';
import type { KillTold } from '../run/run-event.ts';
import type { RunOutcome } from '../run/run-outcome.ts';
import type { ProcessEnd } from '../run/store-process.ts';
import type { TelemetryReport } from '../run/store-telemetry.ts';
import type { Sample } from '../sampling/sample.ts';
import type { EventLog } from './event-log.ts';

/** Everything that was seen of one run. */
export interface Observation {
  /** The id of the last process. */
  readonly pid: number;
  readonly keyCount: number;
  readonly rowCount?: number;
  readonly samples: readonly Sample[];
  readonly checkpoints: readonly CountedCheckpoint[];
  readonly events: EventLog;
  /** The latencies of all processes, as far as they could tell. */
  readonly latency: readonly OperationLatency[];
  /** The end of the warm-up: no gate judges before it. */
  readonly warmupEndsAtS: number;
  /** The kernel's account where there is one, else the highest sample. */
  readonly peakRssBytes: number | undefined;
  readonly durationMs: number;
  /** Undefined when the process ended without a word. */
  readonly outcome: RunOutcome | undefined;
  /** The totals, as far as they are known. */
  readonly totals: RunTotals | undefined;
  /** When it was asked for. */
  readonly telemetry?: TelemetryReport;
  readonly processEnd: ProcessEnd;
  readonly interruptedBy?: 'SIGINT' | 'SIGTERM';
  /** A gate with `abortOnFail` has failed. */
  readonly aborted: boolean;
  /** The observer killed it: it hung, or was interrupted a second time. */
  readonly killed: boolean;
  /** Planned kills of the store process. */
  readonly kills: { readonly asked: number; readonly made: number };
  /** The kill from which the store did not recover. */
  readonly failedKill?: KillTold;
  /** The store has a `compact()`. */
  readonly canCompact: boolean;
  /** The store has a `sync()`. */
  readonly canSync: boolean;
}
