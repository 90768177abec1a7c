import { mkdirSync } from 'node:fs';
import { loadAdapter } from '../../adapters/load-adapter.ts';
import { compiledProgram } from '../../package-root.ts';
import type { StoreUnderTest } from '../../store-under-test.ts';
import type { HistoryOperation } from '../promises/history.ts';
import { OUTSIDE_KILL_KINDS } from './kill-plan.ts';
import { adoptState, type KillSubject } from './kill-subject.ts';
import { killSteps, pickSteps } from './kill-workload.ts';

type AdapterStep =
  | { readonly kind: 'write'; readonly operation: HistoryOperation }
  | { readonly kind: 'sync' | 'reopen' };

/** The steps that any store can take. */
export function* adapterSteps(seed: number, round: number): Generator<AdapterStep, never> {
  for (const step of killSteps(seed, round)) {
    const { kind } = step;
    if (kind === 'write') yield { kind, operation: step.operation };
    else if (kind === 'sync' || kind === 'reopen') yield { kind };
  }
  throw new RangeError('the steps never end');
}

/** Any store, known by its adapter only. */
export async function adapterSubject(adapter: string): Promise<KillSubject> {
  const open = await loadAdapter(adapter);
  return {
    kinds: OUTSIDE_KILL_KINDS,
    program: compiledProgram('crash/kills/kill-adapter-child.js'),
    args: (directory, { seed, round, length, only }) => {
      mkdirSync(directory, { recursive: true });
      return [
        adapter,
        directory,
        ...[seed, round, length].map(String),
        ...(only ? [only.join()] : []),
      ];
    },
    steps: ({ seed, round, only }) => pickSteps(adapterSteps(seed, round), only),
    async check(directory, { history, acknowledged }) {
      const startMs = performance.now();
      const store = await open(directory);
      const openMs = performance.now() - startMs;
      try {
        adoptState(await pairsOf(store), history, acknowledged);
      } finally {
        await store.close();
      }
      return openMs;
    },
    checkBlocked: async () => {},
  };
}

async function pairsOf(store: StoreUnderTest): Promise<[Uint8Array, Uint8Array][]> {
  const pairs: [Uint8Array, Uint8Array][] = [];
  for await (const [key, value] of store.entries())
    pairs.push([Buffer.from(key), Buffer.from(value)]);
  return pairs;
}
