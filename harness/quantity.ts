import { formatBytes, formatCount, formatDuration } from './units.ts';

/**
 * What a figure is measured in. Stands here because the page's script has no Node to import the
 * summary with.
 */
export type Unit =
  | 'bytes'
  | 'bytes/1000 ops'
  | 'count'
  | 'count/1000 ops'
  | 'ms'
  | 'us'
  | 'us/1000 ops'
  | 'ops/s'
  | 'bytes/s'
  | 'ratio'
  | 'percent';

const PER_THOUSAND = '/1000 ops';

/** Formats a value for people: `132 MB`, `12.4 k/s`, `3.1 ms`. */
export function formatQuantity(value: number, unit: Unit): string {
  if (!Number.isFinite(value)) return '–';
  if (value < 0) return `−${formatQuantity(-value, unit)}`;
  switch (unit) {
    case 'bytes':
      return Number.isInteger(value) || value >= 100
        ? formatBytes(value)
        : `${threeDigits(value)} B`;
    case 'bytes/s':
      return `${formatBytes(value)}/s`;
    case 'ops/s':
      return `${shortCount(value)}/s`;
    case 'ms':
      return formatShortTime(value * 1000);
    case 'us':
      return formatShortTime(value);
    case 'percent':
      return `${threeDigits(value)} %`;
    case 'ratio':
    case 'count':
      return threeDigits(value);
    case 'bytes/1000 ops':
      return `${formatQuantity(value, 'bytes')}${PER_THOUSAND}`;
    case 'count/1000 ops':
      return `${threeDigits(value)}${PER_THOUSAND}`;
    case 'us/1000 ops':
      return `${formatShortTime(value)}${PER_THOUSAND}`;
  }
}

function formatShortTime(microseconds: number): string {
  if (microseconds === 0) return '0';
  if (microseconds < 0.9995) return `${threeDigits(microseconds * 1000)} ns`;
  if (microseconds < 999.5) return `${threeDigits(microseconds)} µs`;
  if (microseconds < 999_500) return `${threeDigits(microseconds / 1000)} ms`;
  return microseconds < 60_000_000
    ? `${threeDigits(microseconds / 1_000_000)} s`
    : formatDuration(microseconds / 1000);
}

/** `980`, `12.4 k`, `1.2 M` */
function shortCount(value: number): string {
  if (value < 999.5) return threeDigits(value);
  return value < 999_500 ? `${threeDigits(value / 1e3)} k` : `${threeDigits(value / 1e6)} M`;
}

/** No trailing zeros: an axis reads 20, not 20.0. */
function threeDigits(value: number): string {
  if (value >= 1000) return formatCount(Math.round(value));
  return Math.abs(value) < 1e-3 && value !== 0
    ? value.toExponential(1)
    : String(Number(value.toPrecision(3)));
}
