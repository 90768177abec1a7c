import { AsyncResource } from 'node:async_hooks';

/** The context in which the engine was loaded, which is nobody's request. */
const ENGINE = new AsyncResource('tidemark');

/**
 * Starts work that outlives its caller, or that many callers share: a group commit, seals,
 * automatic merges, the refresh of a lease. What it does must not show up in the trace, or in any
 * `AsyncLocalStorage`, of whoever happened to start it.
 */
export function inOwnContext<T>(start: () => T): T {
  return ENGINE.runInAsyncScope(start);
}
