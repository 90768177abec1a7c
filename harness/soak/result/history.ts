import { appendFileSync, readFileSync } from 'node:fs';
import { findChangePoints } from '../../statistics/change-points.ts';
import type { Metric } from './metrics.ts';
import type { Summary } from './summary.ts';

/** A line of the history: enough to compare runs years apart. */
interface HistoryLine {
  readonly schema: 1;
  readonly startedAt: string;
  readonly verdict: string;
  readonly seed: number;
  readonly subject: string;
  readonly machineClass: string;
  readonly tidemark: string;
  readonly node: string;
  readonly metrics: Readonly<Record<string, number>>;
}

/** A level that lasts is told when it is so much higher or lower, as a share. */
const LEAST_CHANGE = 0.1;

/**
 * Appends this run, and says in words where the level of comparable runs has changed: the same
 * profile and adapter on the same class of machine. Lines that are not of this history are left
 * alone, and counted in the first warning.
 */
export function appendHistory(
  path: string,
  summary: Summary,
  metrics: readonly Metric[],
): string[] {
  const { lines, strange } = readHistory(path);
  const line: HistoryLine = {
    schema: 1,
    startedAt: summary.startedAt,
    verdict: summary.verdict,
    seed: summary.seed,
    subject: `${summary.configuration.adapter} ${summary.profile.name ?? 'no profile'}`,
    machineClass: summary.host.machineClass,
    tidemark: summary.versions.tidemark,
    node: summary.versions.node,
    metrics: Object.fromEntries(metrics.map(({ name, value }) => [name, value])),
  };
  appendFileSync(path, `${JSON.stringify(line)}\n`);
  const comparable = [...lines, line].filter(
    ({ subject, machineClass, verdict }) =>
      subject === line.subject && machineClass === line.machineClass && verdict !== 'interrupted',
  );
  const warnings = metrics.flatMap((metric) => changesOf(metric, comparable));
  return strange === 0
    ? warnings
    : [`${path}: ${strange} lines are no runs, and were passed over`, ...warnings];
}

function changesOf({ name, better }: Metric, lines: readonly HistoryLine[]): string[] {
  const measured = lines.filter(({ metrics }) => metrics[name] !== undefined);
  const values = measured.map(({ metrics }) => metrics[name] as number);
  return findChangePoints(values, LEAST_CHANGE).map(({ index, change, pValue }) => {
    const { startedAt, tidemark } = measured[index] as HistoryLine;
    const percent = `${change > 0 ? '+' : ''}${Math.round(change * 100)} %`;
    const tone = change < 0 === (better === 'less') ? 'better' : 'worse';
    return `${name} changed by ${percent} (${tone}) with the run of ${startedAt}, version ${tidemark} (p = ${pValue.toPrecision(1)})`;
  });
}

function readHistory(path: string): { lines: HistoryLine[]; strange: number } {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { lines: [], strange: 0 };
    throw error;
  }
  const parsed = text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      try {
        const value = JSON.parse(line) as HistoryLine;
        return value.schema === 1 && typeof value.metrics === 'object' ? value : undefined;
      } catch {
        return undefined;
      }
    });
  const lines = parsed.filter((line) => line !== undefined);
  return { lines, strange: parsed.length - lines.length };
}
