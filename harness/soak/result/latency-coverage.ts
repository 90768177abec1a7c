import { formatCount } from '../../units.ts';
import type { RunTotals } from '../run/ledger.ts';
import type { OperationLatency } from '../run/operation-latency.ts';

/**
 * How many of the operations done the latencies are of, in words; undefined when they are of all.
 */
export function describeCoverage(
  latency: readonly OperationLatency[],
  totals: RunTotals | null,
): string | undefined {
  if (totals === null) return undefined;
  const done = totals.puts + totals.reads + totals.deletes + totals.syncs;
  const timed = latency.reduce((sum, { count }) => sum + count, 0);
  if (timed >= done) return undefined;
  return `${formatCount(timed)} of ${formatCount(done)} operations: a killed process takes with it what it timed since its last sample`;
}
