import type { Store } from '../../../src/engine/index.ts';
import type { History } from './history.ts';
import { InvariantBroken } from './invariants.ts';

/**
 * I9: after a failure nothing is written or acknowledged any more, and what had returned before can
 * still be read.
 */
export async function checkPoisoned(
  store: Store,
  history: History,
  returned: number,
): Promise<void> {
  const { segmentId, offset, nextTxid } = store.end;
  const key = history.keyName(0);
  const attempts: [string, () => unknown][] = [
    ['put', () => store.put(key, 'after a failure')],
    ['delete', () => store.delete(key)],
    ['batch', () => store.batch([{ type: 'put', key, value: 'after a failure' }])],
    ['rotate', () => store.rotate()],
    ['sync', () => store.sync()],
  ];
  for (const [what, attempt] of attempts) {
    const code = await codeOf(attempt);
    if (code !== 'WRITER_POISONED')
      throw new InvariantBroken('I9', `${what} on a poisoned store: ${code ?? 'no error'}`);
  }
  const { end } = store;
  if (end.segmentId !== segmentId || end.offset !== offset || end.nextTxid !== nextTxid)
    throw new InvariantBroken('I9', 'a poisoned store went on writing');
  const state = history.stateOf(store.entries());
  const shown = history.longestPrefix(state);
  if (shown === undefined || shown < returned)
    throw new InvariantBroken('I3', `a poisoned store shows the state ${state}`);
}

/** The code of the error that an attempt ends with. */
async function codeOf(attempt: () => unknown): Promise<unknown> {
  try {
    await attempt();
    return undefined;
  } catch (error) {
    return (error as { code?: unknown }).code ?? String(error);
  }
}
