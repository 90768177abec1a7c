import jsep, { type Expression } from 'jsep';
import { SERIES, type Series, seriesNamed } from '../sampling/series.ts';
import type { Gate } from './gate.ts';

/** One gate as a profile states it. */
export interface Threshold {
  readonly series: Series;
  readonly text: string;
  readonly statistic: Statistic;
  readonly comparison: Gate['comparison'];
  /**
   * Computes the limit from numbers, units and, with the statistic `value`, other series of the
   * same sample. Undefined when one is missing.
   */
  readonly limit: (numberOf: (series: Series) => number | undefined) => number | undefined;
  /** The limit, as a share, that is tolerated beyond it. */
  readonly margin: number;
  readonly abortOnFail: boolean;
}

export type Statistic =
  | { readonly kind: 'min' | 'max' | 'mean' | 'median' | 'last' | 'value' | 'growth' | 'slope' }
  | { readonly kind: 'percentile'; readonly percent: number };

/** A threshold that cannot be understood, in words. */
export class ThresholdError extends Error {}

const PLAIN = ['min', 'max', 'mean', 'median', 'last', 'value', 'growth', 'slope'] as const;
const COMPARISONS = ['<', '<=', '>', '>=', '=='] as const;

/**
 * Bytes, milliseconds or microseconds by the series: `ms` is 1,000 where a series counts
 * microseconds.
 */
const BYTE_UNITS: Readonly<Record<string, number>> = {
  kB: 1e3,
  MB: 1e6,
  GB: 1e9,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
};
const SECONDS: Readonly<Record<string, number>> = { us: 1e-6, ms: 1e-3, s: 1 };
const PERCENT = 0.01;

interface ThresholdParts {
  readonly series: string;
  readonly text: string;
  readonly abortOnFail: boolean;
  readonly margin: number;
}

/** Throws `ThresholdError`. */
export function parseThreshold({
  series: name,
  text,
  abortOnFail,
  margin,
}: ThresholdParts): Threshold {
  const series = seriesNamed(name);
  if (series === undefined) {
    throw new ThresholdError(
      `: there is no series ${name}; there are ${SERIES.map((one) => one.name).join(', ')}`,
    );
  }
  const expression = parse(text);
  if (expression.type !== 'BinaryExpression' || !isComparison(expression.operator)) {
    throw new ThresholdError(
      `is ${JSON.stringify(text)}, not STATISTIC < <= > >= or == EXPRESSION`,
    );
  }
  const statistic = toStatistic(expression.left as Expression, text);
  const comparison = expression.operator;
  const isEstimate = statistic.kind === 'growth' || statistic.kind === 'slope';
  if (isEstimate && comparison !== '<=' && comparison !== '<') {
    throw new ThresholdError(`is ${JSON.stringify(text)}: ${statistic.kind} takes < and <=`);
  }
  const limit = toLimit(expression.right as Expression, series, statistic.kind === 'value');
  return { series, text, statistic, comparison, limit, margin, abortOnFail };
}

function parse(text: string): Expression {
  try {
    return jsep(text);
  } catch (error) {
    throw new ThresholdError(`is ${JSON.stringify(text)}: ${(error as Error).message}`);
  }
}

function isComparison(operator: unknown): operator is Gate['comparison'] {
  return COMPARISONS.some((comparison) => comparison === operator);
}

function toStatistic(expression: Expression, text: string): Statistic {
  if (expression.type === 'Identifier') {
    const kind = PLAIN.find((name) => name === expression.name);
    if (kind !== undefined) return { kind };
  }
  if (expression.type === 'CallExpression') {
    const [argument, ...others] = expression.arguments as Expression[];
    const percent = argument?.type === 'Literal' ? Number(argument.value) : Number.NaN;
    const { name } = expression.callee as Expression;
    if (name === 'p' && others.length === 0 && percent >= 0 && percent <= 100) {
      return { kind: 'percentile', percent };
    }
  }
  throw new ThresholdError(
    `is ${JSON.stringify(text)}: the statistics are ${PLAIN.join(', ')} and p(0) to p(100)`,
  );
}

function toLimit(
  expression: Expression,
  series: Series,
  mayNameSeries: boolean,
): Threshold['limit'] {
  switch (expression.type) {
    case 'Literal': {
      const { value } = expression;
      if (typeof value !== 'number') throw new ThresholdError(`: ${String(value)} is no number`);
      return () => value;
    }
    case 'UnaryExpression': {
      if (expression.operator !== '-')
        throw new ThresholdError(`: what is ${String(expression.operator)}?`);
      const operand = toLimit(expression.argument as Expression, series, mayNameSeries);
      return (numberOf) => mapped(operand(numberOf), (value) => -value);
    }
    case 'BinaryExpression': {
      const combine = OPERATORS[String(expression.operator)];
      if (combine === undefined)
        throw new ThresholdError(`: what is ${String(expression.operator)}?`);
      const left = toLimit(expression.left as Expression, series, mayNameSeries);
      const right = toLimit(expression.right as Expression, series, mayNameSeries);
      return (numberOf) =>
        mapped(left(numberOf), (a) => mapped(right(numberOf), (b) => combine(a, b)));
    }
    case 'Identifier': {
      const name = String(expression.name);
      const unit = unitNamed(name, series);
      if (unit !== undefined) return () => unit;
      const other = seriesNamed(name);
      if (other === undefined) throw new ThresholdError(`: ${name} is neither a unit nor a series`);
      if (!mayNameSeries)
        throw new ThresholdError(`: only "value" can be compared with the series ${name}`);
      return (numberOf) => numberOf(other);
    }
    default:
      throw new ThresholdError(': a limit is made of numbers, units, series, + - * and /');
  }
}

const OPERATORS: Readonly<Record<string, (a: number, b: number) => number>> = {
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  '/': (a, b) => a / b,
};

function unitNamed(name: string, { unit }: Series): number | undefined {
  if (name === 'percent') return PERCENT;
  const seconds = SECONDS[name];
  if (seconds !== undefined) return unit === 'us' ? seconds * 1e6 : seconds * 1e3;
  return BYTE_UNITS[name];
}

function mapped(
  value: number | undefined,
  change: (value: number) => number | undefined,
): number | undefined {
  return value === undefined ? undefined : change(value);
}
