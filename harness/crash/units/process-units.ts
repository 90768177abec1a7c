import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { digestOf, type UnitPart } from '../../campaign/unit.ts';
import { mix32 } from '../../prng.ts';
import { runBlocks } from '../blocks/block-campaign.ts';
import { planHost, runHost } from '../host/host-campaign.ts';
import { KILLS_PER_STORE, plannedDeaths, runKills } from '../kills/kill-campaign.ts';
import { INVARIANTS } from '../promises/invariants.ts';

/**
 * Units whose stores lie on a real disk and live in processes of their own. What they are told to
 * do follows from the unit; how far a process comes before it dies depends on the machine, and is
 * measured, not counted.
 */

/** One store that is killed again and again. */
export const KILL_UNITS: UnitPart = {
  name: 'kills',
  invariants: INVARIANTS,
  list: async ({ wanted }) => wanted,
  floors: (units) => ({ kills: units * KILLS_PER_STORE }),
  run: async (unit, { campaign, directory, signal }) => {
    const { seed } = campaign;
    const report = await runKills({
      directory,
      seed,
      kills: KILLS_PER_STORE,
      firstStore: unit,
      parallel: 1,
      signal,
    });
    const { kills, findings, killsWhileOpening, killsInMerges } = report;
    const { operationsAcknowledged, slowestOpenMs } = report;
    return {
      counts: { kills },
      measured: {
        killsWhileOpening,
        killsInMerges,
        operationsAcknowledged,
        slowestOpenMs: Math.round(slowestOpenMs),
      },
      seen: digestOf(JSON.stringify(plannedDeaths(seed, unit))),
      findings: findings.map(
        ({ invariant, message, reproduce, details, directory: kept, plan }) => ({
          invariant,
          message,
          steps: [plan.kind],
          command: reproduce,
          details,
          keepStore: (to) => cpSync(kept, join(to, 'store'), { recursive: true }),
        }),
      ),
    };
  },
};

/** One thing that a host does to a store that lives. */
export const HOST_UNITS: UnitPart = {
  name: 'host',
  invariants: INVARIANTS,
  list: async ({ seed, profile }) => hostNames(seed, profile),
  floors: () => ({}),
  run: async (unit, { campaign, directory, signal }) => {
    const { seed, profile } = campaign;
    const name = hostNames(seed, profile)[unit] as string;
    const report = await runHost({
      directory,
      seed,
      seconds: 0,
      isQuick: profile === 'quick',
      parallel: 1,
      only: name,
      signal,
    });
    const seen = digestOf(name);
    const skipped = report.skipped[name];
    if (skipped !== undefined) return { skipped, counts: {}, seen, findings: [] };
    const { scenarios, writesAcknowledged, refusals, takeovers, slowestTakeoverMs } = report;
    return {
      counts: { scenarios },
      measured: {
        writesAcknowledged,
        refusals,
        takeovers,
        slowestTakeoverMs: Math.round(slowestTakeoverMs),
      },
      seen,
      findings: report.findings.map(({ invariant, message, reproduce, directory: kept }) => ({
        invariant,
        message: `${name}: ${message}`,
        steps: [name],
        command: reproduce,
        details: [],
        keepStore: (to) => cpSync(kept, join(to, 'store'), { recursive: true }),
      })),
    };
  },
};

function hostNames(seed: number, profile: string): string[] {
  return planHost(seed, profile === 'quick')
    .filter(({ leftOut }) => leftOut === undefined)
    .map(({ name }) => name);
}

/** More than one disk takes on any machine. */
const DISK_SECONDS = 3600;

/** One disk whose images are mounted and recovered. */
export const BLOCK_UNITS: UnitPart = {
  name: 'blocks',
  invariants: INVARIANTS,
  list: async ({ wanted }) => wanted,
  floors: (units) => ({ disks: units }),
  run: async (unit, { campaign, directory, signal }) => {
    // The first disk of this seed.
    const seed = (campaign.seed + mix32(unit + 1)) >>> 0;
    const report = await runBlocks({ directory, seed, seconds: DISK_SECONDS, disks: 1, signal });
    const { skipped, trouble, images, mixed, withRequestsInFlight, recovered } = report;
    const seen = String(seed);
    if (skipped !== undefined) return { skipped, counts: {}, seen, findings: [] };
    if (trouble !== undefined) throw new Error(trouble);
    return {
      counts: { disks: 1 },
      measured: { images, mixed, withRequestsInFlight, recovered },
      seen,
      findings: report.findings.map(({ invariant, message, kind, directory: kept }) => ({
        invariant,
        message,
        steps: [kind],
        command: `node dist/harness/crash/blocks/block-reproduce.js '${kept}'`,
        details: [],
        keepStore: (to) => cpSync(kept, to, { recursive: true }),
      })),
    };
  },
};
