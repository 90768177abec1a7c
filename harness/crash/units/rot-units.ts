import { setImmediate as nextTurn } from 'node:timers/promises';
import { withSeededIdentities } from '../../campaign/seeded-identities.ts';
import type { UnitContext, UnitFinding, UnitPart, UnitResult } from '../../campaign/unit.ts';
import { invokedAs } from '../../invocation.ts';
import { mix32 } from '../../prng.ts';
import { INVARIANTS, invariantOf } from '../promises/invariants.ts';
import { type RotSource, rotSources } from '../rot/rot-sources.ts';

/** Cases of damage per unit. */
const CASES_PER_UNIT = 256;

/** Cases that follow each other in one source. */
interface Block {
  readonly source: RotSource;
  readonly from: number;
}

/** The stores that are damaged are the same in every process, and are made once in each. */
const blocksOf = (() => {
  const known = new Map<string, Promise<Block[]>>();
  return (seed: number, profile: string): Promise<Block[]> => {
    const key = `${seed} ${profile}`;
    let blocks = known.get(key);
    if (blocks === undefined) {
      blocks = withSeededIdentities(mix32(seed), () => listBlocks(seed, profile));
      known.set(key, blocks);
    }
    return blocks;
  };
})();

async function listBlocks(seed: number, profile: string): Promise<Block[]> {
  const sources = await rotSources({ seed, bits: profile === 'quick' ? [0, 7] : undefined });
  return sources.flatMap((source) => {
    const blocks: Block[] = [];
    let count = 0;
    for (const _ of source.cases())
      if (count++ % CASES_PER_UNIT === 0) blocks.push({ source, from: count - 1 });
    return blocks;
  });
}

/** Damage at rest: cases that follow each other. */
export const ROT_UNITS: UnitPart = {
  name: 'rot',
  invariants: INVARIANTS,
  list: async ({ seed, profile }) =>
    (await blocksOf(seed, profile)).map(
      ({ source, from }) => `${source.subject}: ${source.name} from ${from}`,
    ),
  floors: (units) => ({ cases: units }),
  run: async (unit, context) => withSeededIdentities(mix32(unit), () => judgeBlock(unit, context)),
};

async function judgeBlock(unit: number, { campaign, signal }: UnitContext): Promise<UnitResult> {
  const { seed, profile, id } = campaign;
  const { source, from } = (await blocksOf(seed, profile))[unit] as Block;
  const counts: Record<string, number> = { cases: 0, pairs: 0 };
  const count = (name: string, more: number) => {
    counts[name] = (counts[name] ?? 0) + more;
  };
  const findings: UnitFinding[] = [];
  const seen: string[] = [];
  let at = 0;
  for (const one of source.cases()) {
    if (at++ < from) continue;
    if (at > from + CASES_PER_UNIT || signal.aborted) break;
    if (one.isPair) count('pairs', 1);
    try {
      const outcome = await one.judge();
      const cases = one.count?.() ?? 1;
      count('cases', cases);
      count(outcome, cases);
      seen.push(outcome);
    } catch (error) {
      count('cases', 1);
      const message = error instanceof Error ? error.message : String(error);
      findings.push({
        invariant: invariantOf(error),
        message: `${message} (${source.subject}, ${one.row}, ${one.what})`,
        steps: [one.row],
        command: `${invokedAs('crash')} --campaign campaign.json --units rot:${unit}`,
        details: [`Case ${at - 1} of the source, campaign ${id}.`],
      });
    }
    await nextTurn();
  }
  return { counts, seen: seen.join(), findings };
}
