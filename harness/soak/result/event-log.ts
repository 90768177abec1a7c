import type { Survived } from '../run/replay.ts';
import type { RunEvent } from '../run/run-event.ts';

/** The most events of each kind. More could not be told apart on any chart. */
const MOST_PER_KIND = 1_000;

/** What happened, and when. */
export class EventLog {
  private readonly kept: RunEvent[] = [];
  private readonly counts = new Map<RunEvent['kind'], number>();
  private droppedCount = 0;
  private kill:
    | { killedAtMs: number; elapsedS: number; last: Omit<Survived, 'adoptions'> }
    | undefined;

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

  /** A kill counts when the next process stands. */
  expectRecovery(kill: NonNullable<EventLog['kill']>): void {
    this.kill = kill;
  }

  recovered(nowMs: number): void {
    if (this.kill === undefined) return;
    const { killedAtMs, elapsedS, last } = this.kill;
    this.kill = undefined;
    const { operations } = last.acknowledged;
    this.add({ kind: 'kill', elapsedS, durationMs: nowMs - killedAtMs, operations });
  }
}
