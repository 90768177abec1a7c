import { formatCount } from '../../units.ts';
import { ENDINGS, endEverywhere, leaveIterators, storeToEnd } from '../plants/ends.ts';
import { INVARIANTS, InvariantBroken } from '../promises/invariants.ts';
import { runUpkeep } from '../upkeep/upkeep-campaign.ts';
import type { UpkeepFinding } from '../upkeep/upkeep-finding.ts';
import type { CampaignPart, Failure } from './campaign.ts';

interface UpkeepPartOptions {
  readonly seed: number;
  readonly workers: number;
}

/** Calls at which an end comes, of those that there are: every one, or one in so many. */
const STRIDES = { whole: 3, quick: 25 } as const;

/**
 * What looks after a store: histories of backups, restores, scrubs, salvages, readers and
 * followers, and the ends of everything that takes time.
 */
export function upkeepPart(
  { seed, workers }: UpkeepPartOptions,
  seconds: number,
  isWhole: boolean,
): CampaignPart {
  return {
    name: 'upkeep',
    invariants: INVARIANTS,
    run: async ({ progress, signal }) => {
      const report = await runUpkeep({
        seed,
        seconds,
        parallel: workers,
        signal,
        onProgress: ({ histories, historiesPerMinute }) =>
          progress.update(
            `upkeep ${formatCount(histories)} histories  ${formatCount(Math.round(historiesPerMinute))} a minute`,
          ),
      });
      const ends = await endAll(isWhole ? STRIDES.whole : STRIDES.quick, signal);
      const { findings, missing, seed: _seed, durationMs: _durationMs, ...figures } = report;
      const { backups, incremental, interrupted, restores, salvages, damaged, noticed } = report;
      const { recordsFollowed, gone, histories, historiesPerMinute, verifies, kills } = report;
      for (const name of missing) progress.print(`upkeep: no ${name} were seen`);
      return {
        figures: { ...figures, ends: ends.count },
        rows: [
          [
            'upkeep',
            `${formatCount(histories)} histories, ${formatCount(Math.round(historiesPerMinute))} a minute; ${formatCount(backups)} backups (${formatCount(incremental)} on earlier ones, ${formatCount(interrupted)} interrupted), ${formatCount(restores)} restores, ${formatCount(salvages)} salvages, ${formatCount(verifies)} scrubs, ${formatCount(kills)} kills`,
          ],
          [
            '',
            `${formatCount(recordsFollowed)} records followed, ${formatCount(gone)} followers told that records are gone; ${formatCount(damaged)} directories damaged, ${formatCount(noticed)} of them noticed; ${formatCount(ends.count)} ends`,
          ],
        ],
        failures: [...findings.map(failureOf), ...ends.failures.map((one) => ({ ...one, seed }))],
        isConclusive: missing.length === 0 && (ends.count > 0 || signal.aborted),
      };
    },
  };
}

function failureOf({ seed, invariant, message, stack, kept }: UpkeepFinding): Failure {
  const steps = kept.map(({ number }) => number).join();
  return {
    invariant,
    message,
    seed,
    command: `node dist/harness/crash/upkeep/upkeep-reproduce.js --seed ${seed}${steps === '' ? '' : ` --steps ${steps}`}`,
    details: [
      'The steps that are left of the history:',
      ...kept.map(({ number, kind }) => `  ${number}  ${kind}`),
      '',
      stack ?? '',
    ],
    keepStore: () => {},
  };
}

/** Everything that takes time, ended by its signal and by a close. */
async function endAll(
  stride: number,
  signal: AbortSignal,
): Promise<{ readonly count: number; readonly failures: readonly Failure[] }> {
  let count = 0;
  const failures: Failure[] = [];
  const base = await storeToEnd();
  const attempt = async (work: () => Promise<number>) => {
    if (signal.aborted) return;
    try {
      count += await work();
    } catch (error) {
      if (!(error instanceof InvariantBroken)) throw error;
      const { invariant, message } = error;
      const command = 'the same command';
      failures.push({ invariant, message, seed: 0, command, details: [], keepStore: () => {} });
    }
  };
  for (const ending of ENDINGS)
    for (const how of ['signal', 'close'] as const) {
      if (how === 'signal' ? !ending.takesSignal : ending.of === 'nobody') continue;
      await attempt(async () => (await endEverywhere(ending, how, base, stride)).ends);
    }
  await attempt(() => leaveIterators(base));
  return { count, failures };
}
