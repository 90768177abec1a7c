import { UsageError } from '../command-line.ts';
import { unitsOf } from './campaign-file.ts';
import type { CampaignFile } from './campaign-schema.ts';
import type { UnitName } from './unit.ts';

/** Which part of a campaign one machine does. */
export interface Shard {
  /** From 1. */
  readonly index: number;
  readonly count: number;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** What tells a process its number, and how many there are. */
interface Fleet {
  readonly name: string;
  readonly index: string;
  readonly count: string;
  /** The number of the first. */
  readonly base: 0 | 1;
}

/**
 * In the order in which they are asked. GitHub says nothing by itself: the workflow hands the
 * matrix over in TIDEMARK_SHARD. Kubernetes does not say how many there are.
 */
export const FLEETS: readonly Fleet[] = [
  { name: 'given', index: 'TIDEMARK_SHARD', count: 'TIDEMARK_SHARDS', base: 1 },
  { name: 'Kubernetes', index: 'JOB_COMPLETION_INDEX', count: 'TIDEMARK_SHARDS', base: 0 },
  { name: 'Slurm', index: 'SLURM_ARRAY_TASK_ID', count: 'SLURM_ARRAY_TASK_COUNT', base: 1 },
  { name: 'GitLab', index: 'CI_NODE_INDEX', count: 'CI_NODE_TOTAL', base: 1 },
  {
    name: 'Buildkite',
    index: 'BUILDKITE_PARALLEL_JOB',
    count: 'BUILDKITE_PARALLEL_JOB_COUNT',
    base: 0,
  },
  { name: 'CircleCI', index: 'CIRCLE_NODE_INDEX', count: 'CIRCLE_NODE_TOTAL', base: 0 },
  { name: 'Bazel', index: 'TEST_SHARD_INDEX', count: 'TEST_TOTAL_SHARDS', base: 0 },
];

/** `3/16`, or `auto`. Throws `UsageError`. */
export function parseShard(text: string, environment: Environment): Shard {
  if (text === 'auto') return autoShard(environment);
  const [, index, count] = /^(\d+)\/(\d+)$/.exec(text) ?? [];
  if (index === undefined) throw new UsageError(`--shard: '${text}' is neither i/n nor auto`);
  return checked({ index: Number(index), count: Number(count) }, text);
}

function autoShard(environment: Environment): Shard {
  const fleet = FLEETS.find(({ index }) => environment[index] !== undefined);
  if (fleet === undefined)
    throw new UsageError(
      `--shard auto: none of ${FLEETS.map(({ index }) => index).join(', ')} is set: give i/n`,
    );
  const said = environment[fleet.index] as string;
  const total = environment[fleet.count];
  if (total === undefined)
    throw new UsageError(`--shard auto: ${fleet.index} is set, and ${fleet.count} is not`);
  const told = `${fleet.index}=${said}, ${fleet.count}=${total}`;
  if (!/^\d+$/.test(said) || !/^\d+$/.test(total))
    throw new UsageError(`--shard auto: ${told}: these are no numbers`);
  // An array of Slurm begins where its owner says.
  const base =
    fleet.name === 'Slurm' ? Number(environment.SLURM_ARRAY_TASK_MIN ?? fleet.base) : fleet.base;
  return checked({ index: Number(said) - base + 1, count: Number(total) }, told);
}

function checked(shard: Shard, told: string): Shard {
  if (shard.count < 1 || shard.index < 1 || shard.index > shard.count)
    throw new UsageError(`--shard: ${told}: there is no such shard; the first is 1`);
  return shard;
}

/** Dealt round robin within each part, so that every shard gets its share of the slow ones. */
export function unitsOfShard(campaign: CampaignFile, { index, count }: Shard): UnitName[] {
  return unitsOf(campaign).filter(({ unit }) => unit % count === index - 1);
}

/** `states:3,17-20`: units by their numbers. Throws `UsageError`. */
export function parseUnits(text: string, campaign: CampaignFile): UnitName[] {
  const [, part = '', list = ''] = /^([\w-]+):([\d,-]+)$/.exec(text) ?? [];
  const planned = campaign.parts[part];
  if (planned === undefined)
    throw new UsageError(
      `--units: '${text}' is not PART:NUMBERS with one of ${Object.keys(campaign.parts).join(', ')}`,
    );
  return list.split(',').flatMap((run) => {
    const [, from, to = from] = /^(\d+)(?:-(\d+))?$/.exec(run) ?? [];
    const first = Number(from);
    const last = Number(to);
    if (from === undefined || last < first || last >= planned.units)
      throw new UsageError(
        `--units: '${text}': ${part} has the units 0 to ${planned.units - 1}, and '${run}' is none of them`,
      );
    return Array.from({ length: last - first + 1 }, (_, at) => ({ part, unit: first + at }));
  });
}
