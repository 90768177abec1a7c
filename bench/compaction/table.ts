import { median } from 'simple-statistics';
import { formatBytes } from '../../harness/units.ts';
import { formatValue, type Table } from '../measuring/table.ts';
import type { CompactionMeasures, MergeTotals } from './contender.ts';

/** One a launch, in the order of the launches. */
export interface CompactionSides {
  readonly without: readonly CompactionMeasures[];
  readonly merging: readonly CompactionMeasures[];
}

interface Line {
  readonly name: string;
  readonly measure: (measures: CompactionMeasures) => number;
  readonly format: (value: number) => string;
  readonly reach?: string;
  /** What the merging side must be, given the other. */
  readonly isMet?: (merging: number, without: number) => boolean;
  /** Where the side says nothing. */
  readonly only?: 'without' | 'merging';
}

const MOST_WORSE_NS = 2e6;
const LEAST_LIVE_SHARE = 0.6;
const LEAST_MERGED_PER_SECOND = 150e6;

const ns = (value: number) => formatValue(value, 'ns');
const share = (value: number) => value.toFixed(2);
const speed = (bytesASecond: number) => `${formatBytes(bytesASecond)}/s`;

const LINES: readonly Line[] = [
  ...(['put', 'get'] as const).flatMap((kind): Line[] => [
    { name: `${kind}, the call: p50`, measure: (side) => side[kind].call.p50, format: ns },
    { name: `${kind}, the call: p99`, measure: (side) => side[kind].call.p99, format: ns },
    {
      name: `${kind}, the call: p99.9`,
      measure: (side) => side[kind].call.p999,
      format: ns,
      ...notWorse(),
    },
    { name: `${kind}, since it was due: p50`, measure: (side) => side[kind].wait.p50, format: ns },
    { name: `${kind}, since it was due: p99`, measure: (side) => side[kind].wait.p99, format: ns },
    {
      name: `${kind}, since it was due: p99.9`,
      measure: (side) => side[kind].wait.p999,
      format: ns,
      ...notWorse(),
    },
  ]),
  { name: 'delay of the event loop: p99', measure: ({ loopDelay }) => loopDelay.p99, format: ns },
  {
    name: 'delay of the event loop: p99.9',
    measure: ({ loopDelay }) => loopDelay.p999,
    format: ns,
  },
  {
    name: 'delay of the event loop: longest',
    measure: ({ loopDelay }) => loopDelay.max,
    format: ns,
  },
  {
    name: 'bytes written a byte put',
    measure: ({ writtenBytes, appendedBytes }) => writtenBytes / appendedBytes,
    format: share,
  },
  {
    name: 'live bytes over bytes on disk, mean',
    measure: ({ meanLiveShare }) => meanLiveShare,
    format: share,
    reach: `${LEAST_LIVE_SHARE}`,
    isMet: (merging) => merging >= LEAST_LIVE_SHARE,
  },
  {
    name: 'live bytes over bytes on disk, least',
    measure: ({ leastLiveShare }) => leastLiveShare,
    format: share,
  },
  {
    name: 'merges under the load',
    measure: ({ merges }) => merges.count,
    format: String,
    only: 'merging',
  },
  {
    name: 'input of merges under the load',
    measure: ({ merges }) => bytesASecond(merges),
    format: speed,
    only: 'merging',
  },
  {
    name: 'input of merges alone',
    measure: ({ alone }) => bytesASecond(alone),
    format: speed,
    reach: speed(LEAST_MERGED_PER_SECOND),
    isMet: (_, without) => without >= LEAST_MERGED_PER_SECOND,
    only: 'without',
  },
];

function notWorse(): Pick<Line, 'reach' | 'isMet'> {
  return {
    reach: `+${formatValue(MOST_WORSE_NS, 'ns')}`,
    isMet: (merging, without) => merging - without <= MOST_WORSE_NS,
  };
}

function bytesASecond({ inputBytes, durationNs }: MergeTotals): number {
  return durationNs === 0 ? 0 : (inputBytes / durationNs) * 1e9;
}

/** Medians over the launches. */
export function compactionTable({ without, merging }: CompactionSides): Table {
  return {
    head: ['overwrites', 'not merging', 'merging', 'reach', ''],
    lines: LINES.map(({ name, measure, format, reach = '', isMet, only }) => {
      const values = {
        without: median(without.map(measure)),
        merging: median(merging.map(measure)),
      };
      const cell = (side: 'without' | 'merging') =>
        only === undefined || only === side ? format(values[side]) : '';
      const verdict =
        isMet === undefined ? '' : isMet(values.merging, values.without) ? 'met' : 'missed';
      return [name, cell('without'), cell('merging'), reach, verdict];
    }),
  };
}
