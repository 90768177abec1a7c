import { downsample } from './downsample.ts';
import { type Html, html } from './html.ts';

const WIDTH = 180;
const HEIGHT = 40;
const MARGIN = 3;
const BUCKETS = 90;
/** A limit further away than this stays outside of the picture. */
const LIMIT_IN_SIGHT = 2.5;

export interface Spark {
  readonly elapsedS: Float64Array;
  readonly values: Float64Array;
  /** The limit in the unit of the values; undefined when the gate compares something else. */
  readonly limit: number | undefined;
  readonly warmupEndsAtS: number;
  readonly alternative: string;
}

/** A curve the size of a word. It needs no script, and can be printed. */
export function sparkline({ elapsedS, values, limit, warmupEndsAtS, alternative }: Spark): Html {
  const drawn = downsample({ elapsedS, values: [values] }, BUCKETS);
  const points = drawn.elapsedS.flatMap((second, index) => {
    const value = drawn.values[0]?.[index] ?? null;
    return value === null ? [] : [{ second, value }];
  });
  const greatest = points.reduce((most, { value }) => Math.max(most, value), 0);
  const least = points.reduce((lowest, { value }) => Math.min(lowest, value), 0);
  const isLimitShown = limit !== undefined && limit >= least && limit <= greatest * LIMIT_IN_SIGHT;
  const top = Math.max(greatest, isLimitShown ? limit : 0) || 1;
  const end = (elapsedS.at(-1) ?? 0) || 1;
  const x = (second: number) => round((second / end) * WIDTH);
  const y = (value: number) =>
    round(HEIGHT - MARGIN - ((value - least) / (top - least)) * (HEIGHT - 2 * MARGIN));
  const line = points.map(({ second, value }) => `${x(second)},${y(value)}`).join(' ');
  const first = points[0];
  const last = points.at(-1);
  return html`<svg class="spark" viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio="none" role="img" aria-label="${alternative}">
${warmupEndsAtS > 0 ? html`<rect class="warmup" width="${Math.min(WIDTH, x(warmupEndsAtS))}" height="${HEIGHT}"/>` : ''}
${first === undefined || last === undefined ? '' : html`<polygon points="${x(first.second)},${y(least)} ${line} ${x(last.second)},${y(least)}"/><polyline points="${line}"/>`}
${isLimitShown ? html`<line class="limit" x2="${WIDTH}" y1="${y(limit)}" y2="${y(limit)}"/>` : ''}</svg>`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
