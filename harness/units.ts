const SIZE = /^(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)b?$/i;
const POWERS = ['', 'k', 'm', 'g', 't'];

/**
 * `1GB` is 10^9 bytes, `1GiB` 2^30, a bare number bytes; undefined when it is none of these, or not
 * positive.
 */
export function parseBytes(text: string): number | undefined {
  const match = SIZE.exec(text.trim());
  if (match === null) return undefined;
  const [, number, prefix, binary] = match as unknown as [string, string, string, string];
  if (prefix === '' && binary !== '') return undefined;
  const bytes = Math.round(
    Number(number) * (binary === '' ? 1000 : 1024) ** POWERS.indexOf(prefix.toLowerCase()),
  );
  return bytes > 0 && Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** Formats bytes with three digits and a decimal unit: `1.07 GB`. */
export function formatBytes(bytes: number): string {
  if (bytes < 1000) return `${Math.round(bytes)} B`;
  let value = bytes;
  let unit = 'B';
  for (const next of ['kB', 'MB', 'GB', 'TB']) {
    // 999.5 would be shown as 1000.
    if (value < 999.5) break;
    value /= 1000;
    unit = next;
  }
  return `${value < 9.995 ? value.toFixed(2) : value < 99.95 ? value.toFixed(1) : value.toFixed(0)} ${unit}`;
}

/** `850 ms`, `12.3 s`, `4 min 05 s`, `3 h 12 min`. */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  return ms < 59_950 ? `${(ms / 1000).toFixed(1)} s` : formatSeconds(ms / 1000);
}

/** Formats a time without parts of a second: `12 s`, `4 min 05 s`, `3 h 12 min`. */
export function formatSeconds(exactSeconds: number): string {
  const seconds = Math.round(exactSeconds);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${two(seconds % 60)} s`;
  const minutes = Math.round(seconds / 60);
  return `${Math.floor(minutes / 60)} h ${two(minutes % 60)} min`;
}

/** `12,345` */
export function formatCount(count: number): string {
  return count.toLocaleString('en-US');
}

function two(value: number): string {
  return String(value).padStart(2, '0');
}
