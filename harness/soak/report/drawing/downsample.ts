/** Columns that share their moments; NaN where nothing was measured. */
export interface Columns {
  /** Ascending. */
  readonly elapsedS: ArrayLike<number>;
  readonly values: readonly ArrayLike<number>[];
}

/** The same, small enough to draw; null where nothing was measured. */
export interface DrawnColumns {
  readonly elapsedS: number[];
  readonly values: (number | null)[][];
}

/**
 * Keeps at most two moments per bucket of time: the least and the most of every column, in the
 * order in which they came. A spike of one sample stays as high as it was, wherever it falls.
 */
export function downsample({ elapsedS, values }: Columns, buckets: number): DrawnColumns {
  const drawn: DrawnColumns = { elapsedS: [], values: values.map(() => []) };
  const count = elapsedS.length;
  if (count <= buckets * 2) {
    drawn.elapsedS.push(...Array.from(elapsedS));
    values.forEach((column, index) => {
      drawn.values[index] = Array.from(column, (value) => (Number.isNaN(value) ? null : value));
    });
    return drawn;
  }
  const beginS = elapsedS[0] as number;
  const bucketS = ((elapsedS[count - 1] as number) - beginS) / buckets;
  for (let from = 0; from < count; ) {
    const bucket = Math.min(
      buckets - 1,
      Math.floor(((elapsedS[from] as number) - beginS) / bucketS),
    );
    let to = from + 1;
    while (
      to < count &&
      (bucket === buckets - 1 || (elapsedS[to] as number) < beginS + (bucket + 1) * bucketS)
    ) {
      to++;
    }
    addBucket(drawn, { elapsedS, values }, from, to);
    from = to;
  }
  return drawn;
}

function addBucket(
  drawn: DrawnColumns,
  { elapsedS, values }: Columns,
  from: number,
  to: number,
): void {
  const isSingle = to - from === 1;
  drawn.elapsedS.push(elapsedS[from] as number);
  if (!isSingle) drawn.elapsedS.push(elapsedS[to - 1] as number);
  values.forEach((column, index) => {
    const [first, second] = extremes(column, from, to);
    const into = drawn.values[index] as (number | null)[];
    into.push(first);
    if (!isSingle) into.push(second);
  });
}

/** The least and the most, the earlier one first. */
function extremes(
  column: ArrayLike<number>,
  from: number,
  to: number,
): [number | null, number | null] {
  let least = -1;
  let most = -1;
  for (let index = from; index < to; index++) {
    const value = column[index] as number;
    if (Number.isNaN(value)) continue;
    if (least === -1 || value < (column[least] as number)) least = index;
    if (most === -1 || value > (column[most] as number)) most = index;
  }
  if (least === -1) return [null, null];
  const [first, second] = least < most ? [least, most] : [most, least];
  return [column[first] as number, column[second] as number];
}
