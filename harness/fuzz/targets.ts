import type { FixtureFiles } from '../corpus/fixture.ts';
import { Prng } from '../prng.ts';
import type { FuzzInput, FuzzTarget } from './fuzz-target.ts';
import { commandTarget } from './target-command.ts';
import { httpTarget } from './target-http.ts';
import { importTarget } from './target-import.ts';
import { metricsTarget } from './target-metrics.ts';
import { openingsTarget, salvageTarget } from './target-openings.ts';
import { framesTarget, sealsTarget, slotsTarget } from './target-parsers.ts';
import { printedTarget } from './target-printed.ts';

export const TARGETS: readonly FuzzTarget[] = [
  framesTarget,
  sealsTarget,
  slotsTarget,
  openingsTarget,
  salvageTarget,
  importTarget,
  metricsTarget,
  httpTarget,
  printedTarget,
  commandTarget,
];

const WEIGHT_STEPS = 1000;

/**
 * The input of this number: the same in every process. `only` is the name of a target, or undefined
 * for all.
 */
export function makeInput(
  seed: number,
  index: number,
  seeds: readonly FixtureFiles[],
  only: string | undefined,
): { target: FuzzTarget; input: FuzzInput } {
  const prng = Prng.seeded((seed + Math.imul(index, 0x85ebca6b)) >>> 0);
  const target = TARGETS.find(({ name }) => name === only) ?? chooseTarget(prng);
  return { target, input: target.make(prng, seeds) };
}

function chooseTarget(prng: Prng): FuzzTarget {
  const total = TARGETS.reduce((sum, { weight }) => sum + weight, 0);
  let place = (prng.below(total * WEIGHT_STEPS) / WEIGHT_STEPS) % total;
  for (const target of TARGETS) {
    if (place < target.weight) return target;
    place -= target.weight;
  }
  return TARGETS[0] as FuzzTarget;
}
