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

export interface FaultReport {
  readonly rows: readonly FaultRow[];
  readonly runs: number;
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
    durationMs: performance.now() - startMs,
    findings,
  });
  for (const story of await faultStories(options.size ?? 'whole')) {
    for (const [kind, calls] of await countCalls(story)) {
      for (const { effect, forGood } of effectsOn(kind)) {
        const before = findings.length;
        for (let nth = 1; nth <= calls; nth++) {
          findings.push(...(await runFault(story, { kind, nth, effect, forGood })));
        }
        rows.push({
          story: story.name,
          kind,
          effect,
          forGood,
          runs: calls,
          findings: findings.length - before,
        });
        await nextTurn();
        options.onProgress?.(report());
      }
    }
  }
  return report();
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
