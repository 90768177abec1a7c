import { formatBytes } from '../../harness/units.ts';
import type { Row } from './contest.ts';
import type { Unit } from './group.ts';
import { attainmentOf, type Result, typicalOf, valuesOf } from './result.ts';

export interface Table {
  readonly head: readonly string[];
  /** The first column is words, the others are numbers. */
  readonly lines: readonly (readonly string[])[];
}

export function rowTable(rows: readonly Row[]): Table {
  return {
    head: ['row', 'median', 'spread', 'x floor', 'reach', ''],
    lines: rows.map((row) => {
      const { ratio, isMet } = attainmentOf(row, rows);
      const values = valuesOf(row);
      return [
        row.name,
        formatValue(typicalOf(row), row.unit),
        values.length === 1
          ? ''
          : `${formatValue(Math.min(...values), row.unit)} to ${formatValue(Math.max(...values), row.unit)}`,
        ratio === undefined ? '' : ratio.toFixed(2),
        reachOf(row),
        isMet === undefined ? '' : isMet ? 'met' : 'missed',
      ];
    }),
  };
}

export function countTable({ counts }: Pick<Result, 'counts'>): Table {
  return {
    head: ['count', 'value'],
    lines: counts.map(({ name, value }) => [name, formatCountValue(value)]),
  };
}

function reachOf({ target, unit }: Row): string {
  if (target === undefined) return '';
  return target.kind === 'ratio' ? `${target.limit} x` : formatValue(target.limit, unit);
}

export function formatValue(value: number, unit: Unit): string {
  return unit === 'ns' ? formatNs(value) : formatBytes(value);
}

/** Formats a ratio as a change: 1.05 is +5.0 %. */
export function formatChange(ratio: number): string {
  const change = (ratio - 1) * 100;
  return `${change < 0 ? '' : '+'}${change.toFixed(1)} %`;
}

function formatNs(ns: number): string {
  if (ns < 9_995) return `${Math.round(ns)} ns`;
  if (ns < 999_500) return `${(ns / 1e3).toFixed(1)} µs`;
  return ns < 9.995e8 ? `${(ns / 1e6).toFixed(1)} ms` : `${(ns / 1e9).toFixed(2)} s`;
}

function formatCountValue(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toFixed(4).replace(/0+$/, '');
}

/** Lays a table out for a terminal. */
export function textOf({ head, lines }: Table): string {
  const widths = head.map((title, column) =>
    Math.max(title.length, ...lines.map((line) => (line[column] ?? '').length)),
  );
  const join = (cells: readonly string[]) =>
    cells
      .map((cell, column) =>
        column === 0
          ? cell.padEnd(widths[column] as number)
          : cell.padStart(widths[column] as number),
      )
      .join('  ')
      .trimEnd();
  return [join(head), ...lines.map(join)].join('\n');
}

export function markdownOf({ head, lines }: Table): string {
  const join = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [
    join(head),
    join(head.map((_, column) => (column === 0 ? '---' : '---:'))),
    ...lines.map(join),
  ].join('\n');
}
