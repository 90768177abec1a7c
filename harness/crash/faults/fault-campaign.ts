import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  effectsOn,
  type Fault,
  type FaultEffect,
  FaultInjector,
} from '../../file-systems/fault-file-system.ts';
import { invariantOf } from '../promises/invariants.ts';
import { FaultScenario } from './fault-scenario.ts';
import { type FaultStory, faultStories } from './fault-steps.ts';

export interface FaultOptions {
  /** `tiny` for a quick look, with the same kinds of calls. Default `whole`. */
  readonly size?: 'tiny' | 'whole';
  /** Ends it after the present row. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (report: FaultReport) => void;
}

/** One kind of fault at one kind of call, at each of them in turn. */
export interface FaultRow {
  readonly story: string;
  /** `write`, `open to create` and so on. */
  readonly kind: string;
  readonly effect: FaultEffect;
  readonly forGood: boolean;
  /** How many calls of that kind the story makes; each was broken once, in a run of its own. */
  readonly runs: number;
  readonly findings: number;
}

/** What is yet to be run for a row. */
export interface PlannedFaultRow extends Pick<FaultRow, 'kind' | 'effect' | 'forGood'> {
  readonly story: FaultStory;
  readonly calls: number;
}

export interface FaultReport {
  readonly rows: readonly FaultRow[];
  readonly runs: number;
  /** Rows that the end of the time left out. */
  readonly notDone: number;
  readonly durationMs: number;
  readonly findings: readonly FaultFinding[];
}

export interface FaultFinding {
  readonly invariant: string;
  readonly message: string;
  readonly story: string;
  readonly fault: Fault;
}

/**
 * Runs every story once for every call in it and every fault that the call can have. The same at
 * every run.
 */
export async function runFaults(options: FaultOptions = {}): Promise<FaultReport> {
  const startMs = performance.now();
  const rows: FaultRow[] = [];
  const findings: FaultFinding[] = [];
  const report = (): FaultReport => ({
    rows,
    runs: rows.reduce((sum, { runs }) => sum + runs, 0),
    notDone: 0,
    durationMs: performance.now() - startMs,
    findings,
  });
  const planned = await faultRows(options.size ?? 'whole');
  for (const [at, row] of planned.entries()) {
    if (options.signal?.aborted) return { ...report(), notDone: planned.length - at };
    const found = await runFaultRow(row);
    findings.push(...found);
    const { story, kind, effect, forGood, calls } = row;
    rows.push({ story: story.name, kind, effect, forGood, runs: calls, findings: found.length });
    await nextTurn();
    options.onProgress?.(report());
  }
  return report();
}

/** The rows of every story, in a fixed order. */
export async function faultRows(size: 'tiny' | 'whole'): Promise<PlannedFaultRow[]> {
  const rows: PlannedFaultRow[] = [];
  for (const story of await faultStories(size))
    for (const [kind, calls] of await countCalls(story))
      for (const { effect, forGood } of effectsOn(kind))
        rows.push({ story, kind, effect, forGood, calls });
  return rows;
}

/** Breaks each call of a row in turn. */
export async function runFaultRow(row: PlannedFaultRow): Promise<FaultFinding[]> {
  const { story, kind, effect, forGood, calls } = row;
  const findings: FaultFinding[] = [];
  for (let nth = 1; nth <= calls; nth++)
    findings.push(...(await runFault(story, { kind, nth, effect, forGood })));
  return findings;
}

/** The calls of a story in which nothing fails. */
async function countCalls(story: FaultStory): Promise<ReadonlyMap<string, number>> {
  const injector = new FaultInjector();
  await runStory(story, injector);
  return new Map(injector.counts);
}

async function runStory(story: FaultStory, injector: FaultInjector): Promise<void> {
  const scenario = new FaultScenario(injector, story.image);
  scenario.adopt(story.operations, story.durable);
  await scenario.run(story.steps);
}

/**
 * Runs a story with one fault; a finding for everything that does not hold, also when the fault
 * never came.
 */
export async function runFault(story: FaultStory, fault: Fault): Promise<FaultFinding[]> {
  const injector = new FaultInjector(fault);
  const finding = (invariant: string, message: string): FaultFinding => ({
    invariant,
    message,
    story: story.name,
    fault,
  });
  try {
    await runStory(story, injector);
  } catch (error) {
    return [finding(invariantOf(error), error instanceof Error ? error.message : String(error))];
  }
  return injector.met > 0 ? [] : [finding('harness', 'the call to break never came')];
}
