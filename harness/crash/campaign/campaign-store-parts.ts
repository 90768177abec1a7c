import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { formatCount } from '../../units.ts';
import { runBlocks } from '../blocks/block-campaign.ts';
import { LEAST_FAULTS, runStoreFaults } from '../faults/store-faults.ts';
import type { StoreFinding } from '../kills/store-finding.ts';
import { LEAST_KILLS, runStoreKills } from '../kills/store-kills.ts';
import type { StoreSubject } from '../kills/store-subject.ts';
import { LEAST_WORKLOAD_STEPS, runStoreWorkloads } from '../kills/store-workload.ts';
import { runKillImages } from '../power/kill-images.ts';
import { LEAST_IMAGES, runStoreCuts, type StoreCutsReport } from '../power/store-cuts.ts';
import { STORE_PROMISES, type StorePromise } from '../promises/store-promises.ts';
import { blockFailure, tooFewMixed } from './block-failure.ts';
import type { CampaignPart, Failure, PartResult } from './campaign.ts';
import type { SubjectSummary } from './crash-report.ts';

/** What a campaign consists of for a store that is known by its adapter only. */

interface PartOptions {
  readonly subject: StoreSubject;
  readonly seed: number;
  readonly workers: number;
  readonly outDirectory: string;
  /** Images of a real disk follow, which speak for what is written through a memory map. */
  readonly hasBlocks?: boolean;
}

/** What all parts judge by, in lines for people. */
export function describeSubject({
  contract,
  assumed,
  refusals,
  volatileFiles,
}: SubjectSummary): string[] {
  return [
    `contract: ${contract}`,
    ...assumed.map((sentence) => `assumed: ${sentence}`),
    ...refusals.map((refusal) => `the store does not take ${refusal}`),
    ...volatileFiles.map((name) => `no image holds ${name}: the adapter says that it is volatile`),
  ];
}

export function storeCutsPart(
  { subject, seed, workers, outDirectory, hasBlocks = false }: PartOptions,
  seconds: number,
  only?: { readonly steps: readonly number[] | undefined },
): CampaignPart {
  return {
    name: 'cuts',
    invariants: promises(
      'durable',
      'prefix',
      'invented',
      'reads',
      'ordered',
      'opens',
      'usable',
      'alive',
    ),
    run: async ({ progress, signal }) => {
      const report = await runStoreCuts({
        subject,
        directory: join(outDirectory, 'cuts'),
        seed,
        seconds,
        parallel: workers,
        signal,
        ...(only === undefined ? {} : { only }),
        onProgress: ({ opened, workloads }) =>
          progress.update(
            `cuts ${formatCount(opened)} images opened  ${formatCount(workloads)} workloads`,
          ),
      });
      if (report.skipped !== undefined) progress.print(`skipped: cuts: ${report.skipped}`);
      for (const note of report.notes) progress.print(`cuts: ${note}`);
      const why = whyInconclusive(report, only !== undefined, hasBlocks);
      if (why !== undefined && report.findings.length === 0) progress.print(`cuts: ${why}`);
      return {
        figures: cutFigures(report),
        rows: [
          ['cuts', describeCuts(report)],
          ...report.notes.map((note) => ['but', note] as const),
          ...(why === undefined ? [] : [['too little', why] as const]),
        ],
        failures: failuresOf(report.findings, seed),
        isConclusive: why === undefined,
      };
    },
  };
}

/**
 * Says in words what was too little. Undefined when enough was seen, or when the part cannot run
 * here.
 */
function whyInconclusive(
  report: StoreCutsReport,
  isOnly: boolean,
  hasBlocks: boolean,
): string | undefined {
  if (report.skipped !== undefined || report.findings.length > 0) return undefined;
  // The images of a real disk decide.
  if (report.isMapped && hasBlocks) return undefined;
  if (report.notes.length > 0) return 'what was recorded is not all that the store does';
  return report.opened < LEAST_IMAGES && !isOnly
    ? `${report.opened} distinct images were opened, and fewer than ${LEAST_IMAGES} say nothing`
    : undefined;
}

function cutFigures(report: StoreCutsReport): Record<string, number> {
  const { counts, opened, workloads, operations, systemCalls, nested } = report;
  const { images, duplicates, moments } = counts;
  const built = images.ext4 + images.posix;
  return {
    imagesExt4: images.ext4,
    imagesPosix: images.posix,
    imagesOpened: opened,
    imagesAMinute: Math.round(opened / Math.max(1e-9, report.searchedMs / 60_000)),
    duplicateShare: Number((built === 0 ? 0 : duplicates / built).toFixed(4)),
    moments,
    workloads,
    operations,
    systemCalls,
    nested,
    failedSyncs: report.failedSyncs,
    recordedMs: Math.round(report.recordedMs),
    skipped: Number(report.skipped !== undefined),
  };
}

function describeCuts(report: StoreCutsReport): string {
  if (report.skipped !== undefined) return `skipped: ${report.skipped}`;
  const figures = cutFigures(report);
  const share = Math.round((figures.duplicateShare as number) * 100);
  return `${formatCount(report.opened)} distinct images opened, ${formatCount(figures.imagesAMinute as number)} a minute, of ${formatCount(figures.imagesExt4 as number)} built under ext4 and ${formatCount(figures.imagesPosix as number)} under posix (${share} % seen before); ${formatCount(report.systemCalls)} system calls of ${formatCount(report.operations)} operations in ${report.workloads} workloads, ${report.nested} recoveries cut again, ${report.failedSyncs} workloads with a sync that failed`;
}

export function storeWorkloadPart(
  { subject, seed, workers, outDirectory }: PartOptions,
  seconds: number,
): CampaignPart {
  return {
    name: 'workload',
    invariants: promises('reads', 'ordered', 'alive', 'durable', 'invented', 'descriptors'),
    run: async ({ progress, signal }): Promise<PartResult> => {
      const { workloads, steps, syncs, findings } = await runStoreWorkloads({
        subject,
        directory: join(outDirectory, 'workload'),
        seed,
        seconds,
        parallel: workers,
        signal,
        onProgress: ({ steps }) => progress.update(`workload ${formatCount(steps)} steps`),
      });
      const told = `${formatCount(steps)} steps in ${formatCount(workloads)} workloads without a crash, ${formatCount(syncs)} syncs`;
      const isTooLittle = steps < LEAST_WORKLOAD_STEPS && findings.length === 0;
      const least = `${steps} steps, and fewer than ${LEAST_WORKLOAD_STEPS} say nothing`;
      return {
        figures: { workloads, steps, syncs },
        rows: [['workload', told], ...(isTooLittle ? [['too little', least] as const] : [])],
        failures: failuresOf(findings, seed),
        isConclusive: !isTooLittle,
      };
    },
  };
}

/** ext4 on a loop device: nothing is assumed of the store or of the file system. */
export function storeBlocksPart(
  { subject, seed, outDirectory }: PartOptions,
  seconds: number,
): CampaignPart {
  return {
    name: 'blocks',
    invariants: STORE_PROMISES,
    run: async ({ progress, signal }): Promise<PartResult> => {
      const report = await runBlocks({
        directory: join(outDirectory, 'blocks'),
        seed,
        seconds,
        store: subject,
        signal,
        onProgress: ({ images, mixed }) =>
          progress.update(
            `blocks ${formatCount(images)} images of disks, ${formatCount(mixed)} of them mixed`,
          ),
      });
      const { skipped, trouble, images, mixed, withRequestsInFlight } = report;
      if (skipped !== undefined) progress.print(`skipped: blocks: ${skipped}`);
      const told = `${formatCount(images)} images of ext4 mounted and opened, ${formatCount(withRequestsInFlight)} with requests in flight, ${formatCount(mixed)} mixed of two`;
      const why = trouble ?? tooFewMixed(mixed, seconds);
      const isBlind = skipped === undefined && why !== undefined && report.findings.length === 0;
      return {
        figures: { images, mixed, withRequestsInFlight, skipped: Number(skipped !== undefined) },
        rows: [
          ['blocks', skipped === undefined ? told : `skipped: ${skipped}`],
          ...(isBlind ? [['too little', why] as const] : []),
        ],
        failures: report.findings.map(blockFailure),
        isConclusive: !isBlind,
      };
    },
  };
}

/** The share of the time for kills that goes to moments taken from a recording. */
const RECORDED_SHARE = 0.25;

export function storeKillsPart(
  { subject, seed, workers, outDirectory }: PartOptions,
  seconds: number,
): CampaignPart {
  return {
    name: 'kills',
    invariants: STORE_PROMISES,
    run: async ({ progress, signal }): Promise<PartResult> => {
      const recorded = await runKillImages({
        subject,
        directory: join(outDirectory, 'kills', 'recorded'),
        seed,
        seconds: seconds * RECORDED_SHARE,
        parallel: workers,
        signal,
      });
      const report = await runStoreKills({
        subject,
        directory: join(outDirectory, 'kills'),
        seed,
        seconds: seconds * (1 - RECORDED_SHARE),
        parallel: workers,
        signal,
        onProgress: ({ kills, killsPerMinute }) =>
          progress.update(
            `kills ${formatCount(kills)}  ${formatCount(Math.round(killsPerMinute))} a minute`,
          ),
      });
      const { kills, killsPerMinute, killsWhileOpening, stepsAcknowledged, skipped } = report;
      if (skipped !== undefined) progress.print(`skipped: kills in a chosen call: ${skipped}`);
      return {
        figures: {
          kills,
          killsPerMinute,
          killsWhileOpening,
          stepsAcknowledged,
          killImages: recorded.opened,
          killMoments: recorded.moments,
        },
        rows: [
          [
            'kills',
            `${formatCount(kills)}, ${formatCount(Math.round(killsPerMinute))} a minute, ${formatCount(killsWhileOpening)} of them while opening; ${formatCount(stepsAcknowledged)} steps acknowledged${skipped === undefined ? '' : `; none in a chosen call: ${skipped}`}; ${formatCount(recorded.opened)} distinct states that a kill before one of ${formatCount(recorded.moments)} recorded calls leaves`,
          ],
          ...(kills < LEAST_KILLS
            ? [['too little', `${kills} kills, and fewer than ${LEAST_KILLS} say nothing`] as const]
            : []),
        ],
        failures: failuresOf([...recorded.findings, ...report.findings], seed),
        isConclusive: kills >= LEAST_KILLS || recorded.findings.length + report.findings.length > 0,
      };
    },
  };
}

export function storeFaultsPart(
  { subject, seed, workers, outDirectory }: PartOptions,
  seconds: number,
  only?: string,
): CampaignPart {
  return {
    name: 'faults',
    invariants: STORE_PROMISES,
    run: async ({ progress, signal }): Promise<PartResult> => {
      const report = await runStoreFaults({
        subject,
        directory: join(outDirectory, 'faults'),
        seed,
        seconds,
        parallel: workers,
        signal,
        ...(only === undefined ? {} : { only }),
        onProgress: ({ met, faults }) =>
          progress.update(`faults ${formatCount(met)} of ${formatCount(faults)} met a call`),
      });
      const { met, faults, limits, failedOperations, skipped } = report;
      for (const why of skipped) progress.print(`skipped: faults: ${why}`);
      return {
        figures: { met, faults, limits, failedOperations, skipped: skipped.length },
        rows: [
          [
            'faults',
            `${formatCount(met)} of ${formatCount(faults)} met a call, ${formatCount(limits)} limits; ${formatCount(failedOperations)} operations failed, as they should; ${skipped.length} skipped`,
          ],
        ],
        failures: failuresOf(report.findings, seed),
        isConclusive:
          met >= LEAST_FAULTS ||
          skipped.length > 0 ||
          report.findings.length > 0 ||
          (only !== undefined && met + limits > 0),
      };
    },
  };
}

function failuresOf(findings: readonly StoreFinding[], seed: number): Failure[] {
  return findings.map(({ promise, message, story, directory, reproduce }) => ({
    invariant: promise,
    message,
    seed,
    command: reproduce,
    details: story,
    keepStore: (to) => {
      if (directory !== undefined) cpSync(directory, join(to, 'store'), { recursive: true });
    },
  }));
}

function promises(...names: readonly StorePromise[]): Record<string, string> {
  return Object.fromEntries(names.map((name) => [name, STORE_PROMISES[name]]));
}
