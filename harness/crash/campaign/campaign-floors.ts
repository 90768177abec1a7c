import { formatCount } from '../../units.ts';
import type { CampaignPart, PartResult } from './campaign.ts';

type Floors = Readonly<Record<string, Readonly<Record<string, number>>>>;

/** The parts, each of them inconclusive where its figures are below its floors. */
export function withFloors(parts: readonly CampaignPart[], floors: Floors): CampaignPart[] {
  return parts.map((part) => ({
    ...part,
    run: async (context) => judgedBy(await part.run(context), floors[part.name] ?? {}),
  }));
}

function judgedBy(result: PartResult, floors: Floors[string]): PartResult {
  // What was found counts however little was seen.
  if (result.failures.length > 0) return result;
  const missed = Object.entries(floors).flatMap(([name, least]) => {
    const got = result.figures[name] ?? 0;
    return got >= least
      ? []
      : [`${formatCount(got)} ${name}, ${formatCount(least - got)} fewer than the least`];
  });
  if (missed.length === 0) return result;
  return {
    ...result,
    rows: [...result.rows, ['too little', missed.join('; ')]],
    isConclusive: false,
  };
}
