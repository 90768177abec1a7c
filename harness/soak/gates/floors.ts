import { formatCount } from '../../units.ts';
import type { SoakConfiguration } from '../run/configuration.ts';
import type { RunTotals } from '../run/ledger.ts';
import type { Gate } from './gate.ts';

/** What a run has done, as far as floors count it. */
export interface WorkDone {
  readonly configuration: Pick<SoakConfiguration, 'workload' | 'input'>;
  readonly totals: RunTotals;
  readonly keyCount: number;
  readonly canCompact: boolean;
  readonly canSync: boolean;
  readonly kills: { readonly asked: number; readonly made: number };
}

/** A key that was written once and never again has shown little. */
const OPERATIONS_PER_KEY = 2;
const SYNCS = 3;
/** Those after kills count, too. */
const REOPENS = 3;

/**
 * The least work that a verdict stands on. A run below one of them is inconclusive, whatever it
 * saw: a store that was hardly used has proved nothing.
 */
export function judgeFloors(done: WorkDone): Gate[] {
  const { totals, keyCount, kills, canCompact, canSync, configuration } = done;
  const { workload, input } = configuration;
  const perKey = totals.operations / Math.max(1, keyCount);
  return [
    floor(
      'operations_per_key',
      perKey,
      input === undefined ? OPERATIONS_PER_KEY : 1,
      `${formatCount(totals.operations)} operations on ${formatCount(keyCount)} keys`,
      'a longer run, or one with fewer keys, does more',
    ),
    ...(workload.syncEveryOperations > 0 && canSync
      ? [floor('syncs', totals.syncs, SYNCS, 'syncs', 'a longer run syncs more often')]
      : []),
    ...(workload.reopenEveryBytes > 0
      ? [
          floor(
            'reopens',
            totals.reopens + kills.made,
            REOPENS,
            'reopenings',
            'a longer run reopens more often',
          ),
        ]
      : []),
    ...(workload.reopenEveryBytes > 0 && workload.compactEveryReopens > 0 && canCompact
      ? [floor('compactions', totals.compacts, 1, 'compactions', 'a longer run compacts')]
      : []),
    ...(kills.asked > 0
      ? [
          floor(
            'kills',
            kills.made,
            kills.asked,
            'kills, of those that were asked for',
            'a longer run has time for all of them',
          ),
        ]
      : []),
  ];
}

function floor(name: string, value: number, limit: number, what: string, advice: string): Gate {
  const passed = value >= limit;
  const shown = Number.isInteger(value) ? formatCount(value) : value.toFixed(1);
  const counted = name === 'operations_per_key' ? `${shown} per key: ${what}` : `${shown} ${what}`;
  return {
    name: `floor_${name}`,
    kind: 'floor',
    series: null,
    value,
    comparison: '>=',
    limit,
    unit: 'count',
    passed,
    verdict: passed ? 'passed' : 'inconclusive',
    detail: passed
      ? counted
      : `${counted}, and at least ${formatCount(limit)} are needed; ${advice}`,
    aborted: false,
  };
}
