import type { KillTold, RunEvent } from '../run/run-event.ts';

/** The most events of each kind. More could not be told apart on any chart. */
const MOST_PER_KIND = 1_000;

interface PendingKill {
  /** The time of the kill by `performance.now()`. */
  readonly killedAtMs: number;
  readonly elapsedS: number;
  readonly told: Omit<KillTold, 'recovered'>;
}

/** What happened, and when. */
export class EventLog {
  private readonly kept: RunEvent[] = [];
  private readonly counts = new Map<RunEvent['kind'], number>();
  private droppedCount = 0;
  private kill: PendingKill | undefined;

  private readonly happened: (event: RunEvent) => void;

  constructor(happened: (event: RunEvent) => void) {
    this.happened = happened;
  }

  get events(): readonly RunEvent[] {
    return this.kept.toSorted((a, b) => a.elapsedS - b.elapsedS);
  }

  /** Not kept, because there were too many. */
  get dropped(): number {
    return this.droppedCount;
  }

  add(event: RunEvent): void {
    const count = (this.counts.get(event.kind) ?? 0) + 1;
    this.counts.set(event.kind, count);
    if (count > MOST_PER_KIND) {
      this.droppedCount++;
      return;
    }
    this.kept.push(event);
    this.happened(event);
  }

  /** A process was killed; the next one has yet to open the store. */
  expectRecovery(kill: PendingKill): void {
    this.kill = kill;
  }

  recovered(nowMs: number): void {
    this.endKill(nowMs, true);
  }

  /** The run is over. A kill that no process has recovered from is told as well. */
  end(nowMs: number): KillTold | undefined {
    return this.endKill(nowMs, false);
  }

  private endKill(nowMs: number, recovered: boolean): KillTold | undefined {
    if (this.kill === undefined) return undefined;
    const { killedAtMs, elapsedS, told } = this.kill;
    this.kill = undefined;
    const kill = { ...told, recovered };
    const durationMs = nowMs - killedAtMs;
    this.add({ kind: 'kill', elapsedS, durationMs, operations: told.acknowledgedOperations, kill });
    return kill;
  }
}
