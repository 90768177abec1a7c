import { cpSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { formatCount } from '../../units.ts';
import { runBlocks } from '../blocks/block-campaign.ts';
import { FOUND_STORE } from '../blocks/block-run.ts';
import { runFaults } from '../faults/fault-campaign.ts';
import { runOutside } from '../faults/fault-outside.ts';
import { runHost } from '../host/host-campaign.ts';
import { runKills } from '../kills/kill-campaign.ts';
import { INVARIANTS } from '../promises/invariants.ts';
import { LEAST_PAIRS, runRot } from '../rot/rot-campaign.ts';
import { blockFailure, tooFewMixed } from './block-failure.ts';
import type { CampaignPart, Failure, PartResult } from './campaign.ts';
import { describeStore } from './crash-report-image.ts';

/**
 * The parts of a campaign beside the crash states: processes that are killed, disks whose power
 * goes, faults, and bit rot.
 */

const ALL_INVARIANTS: Readonly<Record<string, string>> = INVARIANTS;

interface PartOptions {
  readonly seed: number;
  readonly workers: number;
  readonly outDirectory: string;
}

export function killsPart(
  { seed, workers, outDirectory }: PartOptions,
  budget: { readonly seconds: number } | { readonly kills: number },
): CampaignPart {
  return {
    name: 'kills',
    invariants: only('I1', 'I2', 'I3', 'I6', 'I7', 'I10', 'I11', 'outputs', 'alive'),
    run: async ({ progress, signal }) => {
      const directory = join(outDirectory, 'kills');
      const report = await runKills({
        directory,
        seed,
        ...budget,
        parallel: workers,
        signal,
        onProgress: ({ kills, killsPerMinute }) =>
          progress.update(
            `kills ${formatCount(kills)}  ${formatCount(Math.round(killsPerMinute))} a minute`,
          ),
      });
      const { kills, killsPerMinute, killsWhileOpening, killsInMerges } = report;
      const { slowestOpenMs, operationsAcknowledged } = report;
      return {
        figures: {
          kills,
          killsPerMinute,
          killsWhileOpening,
          killsInMerges,
          slowestOpenMs,
          operationsAcknowledged,
        },
        rows: [
          [
            'kills',
            `${formatCount(kills)}, ${formatCount(Math.round(killsPerMinute))} a minute, ${formatCount(killsWhileOpening)} of them while opening and ${formatCount(killsInMerges)} in merges; slowest opening after one ${Math.round(slowestOpenMs)} ms`,
          ],
        ],
        failures: report.findings.map(
          ({ invariant, message, reproduce, directory: kept, details }) => {
            const told = [
              ...details,
              '',
              'The files that the failed check left:',
              ...describeStore(kept),
            ];
            const keepStore = (to: string) => cpSync(kept, join(to, 'store'), { recursive: true });
            return failure(invariant, message, seed, reproduce, told, keepStore);
          },
        ),
        isConclusive: kills > 0,
      };
    },
  };
}

export function blocksPart({ seed, outDirectory }: PartOptions, seconds: number): CampaignPart {
  return {
    name: 'blocks',
    invariants: only('I1', 'I2', 'I3', 'I6', 'I7', 'outputs', 'alive'),
    run: async ({ progress, signal }) => {
      const report = await runBlocks({
        directory: join(outDirectory, 'blocks'),
        seed,
        seconds,
        signal,
        onProgress: ({ images, mixed }) =>
          progress.update(
            `blocks ${formatCount(images)} images of disks, ${formatCount(mixed)} of them mixed`,
          ),
      });
      const { skipped, trouble, images, mixed, withRequestsInFlight, recovered } = report;
      if (skipped !== undefined) progress.print(`skipped: blocks: ${skipped}`);
      if (trouble !== undefined) progress.print(`blocks: ${trouble}`);
      const few = tooFewMixed(mixed, seconds);
      const told = `${formatCount(images)} images of ext4 mounted and recovered, ${formatCount(withRequestsInFlight)} with requests in flight, ${formatCount(mixed)} mixed of two`;
      return {
        figures: {
          images,
          mixed,
          withRequestsInFlight,
          recovered,
          skipped: Number(skipped !== undefined),
        },
        rows: [
          ['blocks', skipped === undefined ? told : `skipped: ${skipped}`],
          ...(few !== undefined && skipped === undefined ? [['too little', few] as const] : []),
        ],
        failures: report.findings.map((finding) => {
          const failure = blockFailure(finding);
          const store = describeStore(join(finding.directory, FOUND_STORE));
          return { ...failure, details: [...failure.details, ...store] };
        }),
        // Where it cannot run, the other parts decide.
        isConclusive:
          skipped !== undefined || report.findings.length > 0 || (trouble ?? few) === undefined,
      };
    },
  };
}

/** Every scenario runs at least once, whatever the seconds. */
export function hostPart(
  { seed, workers, outDirectory }: PartOptions,
  seconds: number,
  isWhole: boolean,
): CampaignPart {
  return {
    name: 'host',
    invariants: only('I3', 'I5', 'I11', 'I13', 'alive'),
    run: async ({ progress, signal }) => {
      const report = await runHost({
        directory: join(outDirectory, 'host'),
        seed,
        seconds,
        isQuick: !isWhole,
        parallel: workers,
        signal,
        onProgress: ({ scenarios, writesAcknowledged }) =>
          progress.update(
            `host ${formatCount(scenarios)} scenarios  ${formatCount(writesAcknowledged)} writes acknowledged`,
          ),
      });
      const { scenarios, writesAcknowledged, refusals, copies, takeovers } = report;
      const { slowestTakeoverMs, skipped, missing } = report;
      for (const [name, why] of Object.entries(skipped))
        progress.print(`skipped: host: ${name}: ${why}`);
      const copied = copies.whole + copies.reported + copies.refused;
      return {
        figures: {
          scenarios,
          writesAcknowledged,
          refusals,
          copies: copied,
          copiesWhole: copies.whole,
          copiesReported: copies.reported,
          copiesRefused: copies.refused,
          takeovers,
          slowestTakeoverMs,
          skipped: Object.keys(skipped).length,
        },
        rows: [
          [
            'host',
            `${formatCount(scenarios)} scenarios, ${formatCount(writesAcknowledged)} writes acknowledged; ${formatCount(refusals)} writers refused, ${formatCount(takeovers)} taken over from the dead (slowest opening ${Math.round(slowestTakeoverMs)} ms), ${formatCount(copied)} copies (${formatCount(copies.whole)} whole, ${formatCount(copies.refused)} refused, ${formatCount(copies.reported)} reported), ${Object.keys(skipped).length} skipped`,
          ],
        ],
        failures: report.findings.map(
          ({ invariant, message, scenario, reproduce, directory: kept }) =>
            failure(invariant, `${scenario}: ${message}`, seed, reproduce, [], (to) =>
              cpSync(kept, join(to, 'store'), { recursive: true }),
            ),
        ),
        isConclusive: missing.length === 0 && writesAcknowledged > 0 && copied > 0,
      };
    },
  };
}

export function faultsPart(
  { seed, outDirectory }: PartOptions,
  size: 'tiny' | 'whole',
): CampaignPart {
  return {
    name: 'faults',
    invariants: ALL_INVARIANTS,
    run: async ({ progress }) => {
      const inside = await runFaults({
        size,
        onProgress: ({ rows, runs }) =>
          progress.update(`faults ${formatCount(runs)} in ${rows.length} rows`),
      });
      const directory = join(outDirectory, 'faults');
      mkdirSync(directory, { recursive: true });
      const outside = await runOutside({
        directory,
        seed,
        onCase: ({ name, status }) => progress.update(`faults from outside: ${name} ${status}`),
      });
      const skipped = outside.filter(({ status }) => status === 'skipped');
      for (const { name, detail } of skipped) progress.print(`skipped: ${name}: ${detail}`);
      const failed = outside.filter(({ status }) => status === 'failed');
      return {
        figures: {
          rows: inside.rows.length,
          runs: inside.runs,
          outside: outside.length,
          skipped: skipped.length,
        },
        rows: [
          [
            'faults',
            `${formatCount(inside.runs)} in ${inside.rows.length} rows; ${outside.length - skipped.length} from outside, ${skipped.length} skipped`,
          ],
        ],
        failures: [
          ...inside.findings.map(({ invariant, message, story, fault }) =>
            failure(
              invariant,
              `${message} (${story}, ${JSON.stringify(fault)})`,
              seed,
              REPEAT_FAULTS,
            ),
          ),
          ...failed.map(({ name, detail, invariant }) =>
            failure(invariant ?? 'alive', `${name}: ${detail}`, seed, REPEAT_FAULTS),
          ),
        ],
        isConclusive: inside.runs > 0,
      };
    },
  };
}

export function rotPart({ seed }: PartOptions, bits: readonly number[] | undefined): CampaignPart {
  return {
    name: 'rot',
    invariants: ALL_INVARIANTS,
    run: async ({ progress }): Promise<PartResult> => {
      const report = await runRot({
        seed,
        ...(bits === undefined ? {} : { bits }),
        onProgress: ({ cases }) => progress.update(`rot ${formatCount(cases)} cases`),
      });
      const needSeals = report.rows.reduce((sum, row) => sum + row.needSeals, 0);
      return {
        figures: { cases: report.cases, pairs: report.pairs, needSeals },
        rows: [
          [
            'rot',
            `${formatCount(report.cases)} cases of damage at rest, ${formatCount(report.pairs)} of them of two files or more; ${formatCount(needSeals)} that only seal files could tell`,
          ],
        ],
        failures: report.findings.map(({ invariant, message, subject, row, what }) =>
          failure(invariant, `${message} (${subject}, ${row}, ${what})`, seed, REPEAT_FAULTS),
        ),
        isConclusive: report.pairs >= LEAST_PAIRS,
      };
    },
  };
}

/** Faults and rot are the same at every run with the same seed. */
const REPEAT_FAULTS = 'the same command with the same seed';

function failure(
  invariant: string,
  message: string,
  seed: number,
  command: string,
  details: readonly string[] = [],
  keepStore: Failure['keepStore'] = () => {},
): Failure {
  return { invariant, message, seed, command, details, keepStore };
}

function only(...names: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.map((name) => [name, ALL_INVARIANTS[name] as string]));
}
