/**
 * Checks of what callers give, before any I/O. Each throws a `TypeError` (another kind of thing) or
 * a `RangeError` (the right kind, and out of its range) that names the option and what it may be.
 */

/**
 * The options of one call: an object whose every name is known. Undefined stands for none.
 *
 * @internal
 */
export function checkOptions<T extends object>(
  given: T | undefined,
  call: string,
  known: readonly (keyof T & string)[],
): T {
  if (given === undefined) return {} as T;
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    throw new TypeError(`${call}: the options must be an object, not ${kindOf(given)}`);
  for (const name of Object.keys(given)) {
    if ((known as readonly string[]).includes(name)) continue;
    const nearest = nearestOf(name, known);
    const advice =
      nearest === undefined ? `it takes ${known.join(', ') || 'none'}` : `did you mean ${nearest}?`;
    throw new TypeError(`${call}: there is no option ${JSON.stringify(name)}; ${advice}`);
  }
  return given;
}

/** A path: text that a file system can have. */
export function checkPath(path: unknown, what: string): string {
  if (typeof path !== 'string')
    throw new TypeError(`${what} must be the path of one, as a string, not ${kindOf(path)}`);
  if (path === '') throw new TypeError(`${what} must not be an empty path`);
  if (path.includes('\0')) throw new TypeError(`${what} must not hold a zero byte`);
  if (!path.isWellFormed())
    throw new TypeError(`${what} must be well-formed Unicode, and has a lone surrogate`);
  return path;
}

/** Timers of Node take no more; beyond, they fire at once. */
export const MAX_TIMER_MS = 2 ** 31 - 1;

/**
 * A number from `least` to `most`, both included.
 *
 * @internal
 */
export function checkNumber(name: string, value: unknown, least: number, most: number): number {
  if (typeof value !== 'number')
    throw new TypeError(`${name} must be a number, not ${kindOf(value)}`);
  if (!(value >= least && value <= most))
    throw new RangeError(`${name} must be from ${least} to ${most}, not ${value}`);
  return value;
}

/**
 * An integer from `least` to `most`, both included.
 *
 * @internal
 */
export function checkInteger(name: string, value: unknown, least: number, most: number): number {
  if (typeof value !== 'number')
    throw new TypeError(`${name} must be a number, not ${kindOf(value)}`);
  if (!Number.isInteger(value) || value < least || value > most)
    throw new RangeError(`${name} must be an integer from ${least} to ${most}, not ${value}`);
  return value;
}

export function checkBoolean(name: string, value: unknown): void {
  if (value !== undefined && typeof value !== 'boolean')
    throw new TypeError(`${name} must be true or false, not ${kindOf(value)}`);
}

export function checkFunction(name: string, value: unknown): void {
  if (value !== undefined && typeof value !== 'function')
    throw new TypeError(`${name} must be a function, not ${kindOf(value)}`);
}

/** An `AbortSignal`, of any realm. */
export function checkSignal(signal: unknown): void {
  if (signal === undefined) return;
  const { aborted, throwIfAborted, addEventListener } = (signal ?? {}) as Partial<AbortSignal>;
  const isSignal =
    typeof aborted === 'boolean' &&
    typeof throwIfAborted === 'function' &&
    typeof addEventListener === 'function';
  if (!isSignal) throw new TypeError(`signal must be an AbortSignal, not ${kindOf(signal)}`);
}

export function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  return typeof value === 'object' ? 'an object' : typeof value;
}

/** The known name that somebody most likely meant; undefined where none is near. */
function nearestOf(name: string, known: readonly string[]): string | undefined {
  const distances = known.map((other) => ({
    other,
    distance: distanceOf(name.toLowerCase(), other.toLowerCase()),
  }));
  const [nearest] = distances.toSorted((a, b) => a.distance - b.distance);
  return nearest !== undefined && nearest.distance <= name.length / 3 ? nearest.other : undefined;
}

/** How many letters must be added, left out or changed. Names that are long enough are cut. */
function distanceOf(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (const [index, letter] of [...a.slice(0, 40)].entries()) {
    const next = [index + 1];
    for (let at = 1; at <= b.length; at++) {
      const change = (row[at - 1] as number) + (b[at - 1] === letter ? 0 : 1);
      next.push(Math.min(change, (row[at] as number) + 1, (next[at - 1] as number) + 1));
    }
    row = next;
  }
  return row[b.length] as number;
}
