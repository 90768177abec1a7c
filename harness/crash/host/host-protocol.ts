/** What the writing process and the one that watches it have agreed upon. */
export interface WriterSetup {
  readonly directory: string;
  readonly kernelLocks: boolean;
  readonly seed: number;
  /** What the keys of this writer begin with. */
  readonly prefix: string;
}

/** Small, so that a second holds rotations and merges. */
export const HOST_OPTIONS = {
  segmentBytes: 8 * 1024,
  compaction: { auto: { deadRatio: 0.2, minBytes: 4096 } },
} as const;

const HOT_KEYS = 8;

/** Writes that one sync acknowledges, at most. */
export const HOST_MOST_AT_ONCE = 8;

/** The key of a write: one of its own, or one of few that are overwritten again and again. */
export function hostKey(prefix: string, sequence: number, isHot: boolean): string {
  return isHot ? `${prefix}-hot-${sequence % HOT_KEYS}` : `${prefix}-${sequence}`;
}

export function hostValue(key: string, sequence: number): string {
  return `${key}:${sequence}:`.padEnd(100, '.');
}

/** The write that a value is of; undefined when it is no value of that key. */
export function sequenceOf(key: string, value: string): number | undefined {
  const [named, sequence] = value.split(':');
  return named === key && hostValue(key, Number(sequence)) === value ? Number(sequence) : undefined;
}

/** Says what a writer that has made these writes leaves: the last sequence number by key. */
export function keysUpTo(
  prefix: string,
  hot: ReadonlySet<number>,
  sequence: number,
): Map<string, number> {
  const last = new Map<string, number>();
  for (let number = 1; number <= sequence; number++)
    last.set(hostKey(prefix, number, hot.has(number)), number);
  return last;
}
