import { ExitCode } from '../../exit-code.ts';
import { formatCount, formatDuration } from '../../units.ts';
import type { Gate } from '../gates/gate.ts';
import type { KillTold } from '../run/run-event.ts';
import { isNoRoom } from '../run/run-outcome.ts';
import type { Observation } from './observation.ts';

export interface Verdict {
  readonly word: 'pass' | 'broken' | 'inconclusive' | 'threshold' | 'interrupted';
  readonly exitCode: ExitCode;
  /** One sentence. */
  readonly reason: string;
}

/** A process does these to itself. */
const CRASHES: ReadonlySet<string> = new Set([
  'SIGSEGV',
  'SIGBUS',
  'SIGABRT',
  'SIGILL',
  'SIGFPE',
  'SIGTRAP',
]);

type Ending = Pick<
  Observation,
  'telemetry' | 'outcome' | 'processEnd' | 'interruptedBy' | 'killed' | 'aborted' | 'failedKill'
>;

/** What a verdict needs to know of a gate. */
type JudgedGate = Pick<Gate, 'name' | 'verdict' | 'detail'>;

/**
 * A lie of the store outweighs an interrupt, and that a threshold; a threshold outweighs a gate
 * that could not tell. `regressions`: what is worse than in an earlier run, in words.
 */
export function judge(
  ending: Ending,
  gates: readonly JudgedGate[],
  regressions: readonly string[] = [],
): Verdict {
  const { outcome, failedKill } = ending;
  if (outcome === undefined) return judgeDeath(ending);
  const after = failedKill === undefined ? '' : `; ${describeKill(failedKill)}`;
  switch (outcome.kind) {
    case 'violated': {
      const [first] = outcome.violations;
      const more = outcome.count > 1 ? `, and ${outcome.count - 1} more` : '';
      return broken(
        `${first?.kind}: key ${first?.key} ${first?.detail} (${outcome.doing}${more})${after}`,
      );
    }
    case 'failed': {
      const reason = `the store failed (${outcome.doing}): ${outcome.message}${after}`;
      return isNoRoom(outcome) ? inconclusive(`no room on the disk: ${reason}`) : broken(reason);
    }
    case 'stopped':
      if (ending.aborted && ending.interruptedBy === undefined) return judgeThresholds(gates, []);
      return interrupted(
        ending.interruptedBy,
        'stopped in order; nothing wrong was seen until then',
      );
    case 'completed':
      if (ending.telemetry?.spans?.addsUp === false) {
        return broken('spans emitted and suppressed do not add up to the preads');
      }
      return judgeThresholds(gates, regressions);
  }
}

/** Which kill it was, what had been promised by then, and by which contract. */
export function describeKill(kill: KillTold): string {
  const { number, asked, acknowledgedOperations, syncedOperations, sinceSyncMs, survives } = kill;
  const sync =
    sinceSyncMs === null
      ? 'no sync had ended'
      : `the last sync had ended ${formatDuration(sinceSyncMs)} before, and covered ${formatCount(syncedOperations)}`;
  const contract =
    survives === 'put'
      ? 'every put that has returned survives a kill'
      : 'what a finished sync covers survives a kill';
  return `this was kill ${number} of ${asked}: ${formatCount(acknowledgedOperations)} operations had returned; ${sync}; by the contract, ${contract}`;
}

/** A signal that a process brings upon itself. */
export function isCrash(signal: string): boolean {
  return CRASHES.has(signal);
}

function judgeDeath({ processEnd, interruptedBy, killed }: Ending): Verdict {
  if (interruptedBy !== undefined)
    return interrupted(interruptedBy, 'the store process was killed');
  if (killed)
    return inconclusive('the store process hung: it did nothing for ten minutes, and was killed');
  const { code, signal } = processEnd;
  if (signal === null)
    return broken(`the store process ended in the middle, with exit status ${code}`);
  return isCrash(signal)
    ? broken(`the store process crashed with ${signal}`)
    : inconclusive(`the store process was killed from outside with ${signal}`);
}

function judgeThresholds(gates: readonly JudgedGate[], regressions: readonly string[]): Verdict {
  const failed = gates
    .filter(({ verdict }) => verdict === 'failed')
    .map(({ name, detail }) => `${name}: ${detail}`);
  const crossed = [...failed, ...regressions];
  if (crossed.length > 0) {
    return { word: 'threshold', exitCode: ExitCode.threshold, reason: crossed.join('; ') };
  }
  const unclear = gates.filter(({ verdict }) => verdict === 'inconclusive');
  if (unclear.length > 0) {
    return inconclusive(unclear.map(({ name, detail }) => `${name}: ${detail}`).join('; '));
  }
  return {
    word: 'pass',
    exitCode: ExitCode.pass,
    reason: 'every key was compared after a reopen; nothing was lost, wrong or invented',
  };
}

function broken(reason: string): Verdict {
  return { word: 'broken', exitCode: ExitCode.broken, reason };
}

function inconclusive(reason: string): Verdict {
  return { word: 'inconclusive', exitCode: ExitCode.inconclusive, reason };
}

function interrupted(signal: 'SIGINT' | 'SIGTERM' | undefined, reason: string): Verdict {
  const exitCode = signal === 'SIGTERM' ? ExitCode.terminated : ExitCode.interrupted;
  return { word: 'interrupted', exitCode, reason };
}
