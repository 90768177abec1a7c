import { type ChildProcess, fork } from 'node:child_process';
import { compiledProgram } from '../../package-root.ts';
import type { UpkeepAnswer } from './upkeep-child.ts';
import { addUpkeep, noUpkeep, type UpkeepCounts } from './upkeep-counts.ts';
import type { UpkeepFinding } from './upkeep-finding.ts';

export interface UpkeepOptions {
  /** The seed of the first history; the others have those that follow. */
  readonly seed: number;
  /** Nothing more is begun after so many seconds, once there were enough histories. */
  readonly seconds: number;
  /** Processes. Default 2. */
  readonly parallel?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (report: UpkeepReport) => void;
}

export interface UpkeepReport extends UpkeepCounts {
  readonly seed: number;
  readonly historiesPerMinute: number;
  readonly durationMs: number;
  readonly findings: readonly UpkeepFinding[];
  /** What no history has done: too little was seen to judge. */
  readonly missing: readonly string[];
}

/** Whatever the seconds: so many show everything that histories do. */
const LEAST_HISTORIES = 40;
const MOST_FINDINGS = 5;
/** A history takes less than a second. */
const SILENCE_MS = 60_000;

/** Histories of everything that looks after a store, in processes of their own. */
export async function runUpkeep(options: UpkeepOptions): Promise<UpkeepReport> {
  const { seed, seconds, parallel = 2, signal, onProgress } = options;
  const startMs = performance.now();
  const counts = noUpkeep();
  const findings: UpkeepFinding[] = [];
  let begun = 0;
  const next = () => {
    const isUp = performance.now() - startMs > seconds * 1000 && begun >= LEAST_HISTORIES;
    if (isUp || signal?.aborted || findings.length >= MOST_FINDINGS) return undefined;
    return (seed + begun++) % 2 ** 32;
  };
  const report = (): UpkeepReport => {
    const durationMs = performance.now() - startMs;
    const historiesPerMinute = (counts.histories / durationMs) * 60_000;
    const missing = Object.entries(counts).flatMap(([name, count]) => (count > 0 ? [] : [name]));
    return { ...counts, seed, historiesPerMinute, durationMs, findings: [...findings], missing };
  };
  const work = async () => {
    let child = startChild();
    for (let at = next(); at !== undefined; at = next()) {
      const answer = await askChild(child, at);
      if (answer === undefined) {
        child = startChild();
        const message = 'the process that ran the history ended, or did not come to an end';
        findings.push({ seed: at, invariant: 'alive', message, stack: undefined, kept: [] });
      } else if (answer.result.finding === undefined) addUpkeep(counts, answer.result.counts);
      else findings.push(answer.result.finding);
      onProgress?.(report());
    }
    child.kill('SIGKILL');
  };
  await Promise.all(Array.from({ length: parallel }, work));
  return report();
}

function startChild(): ChildProcess {
  return fork(compiledProgram('crash/upkeep/upkeep-child.js'), { serialization: 'advanced' });
}

/** Undefined when it ended, or hangs and was killed. */
function askChild(child: ChildProcess, seed: number): Promise<UpkeepAnswer | undefined> {
  return new Promise((resolve) => {
    const silence = setTimeout(() => child.kill('SIGKILL'), SILENCE_MS);
    const settle = (answer: UpkeepAnswer | undefined) => {
      clearTimeout(silence);
      child.removeAllListeners();
      resolve(answer);
    };
    child.once('message', (answer: UpkeepAnswer) => settle(answer));
    child.once('exit', () => settle(undefined));
    child.once('error', () => settle(undefined));
    child.send(seed, () => {});
  });
}
