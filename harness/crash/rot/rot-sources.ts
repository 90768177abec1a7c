import { DATAWAL_FIXTURES } from '../../corpus/datawal-fixtures.ts';
import {
  agedSidecars,
  cuts,
  flips,
  foreignAppends,
  liveCopies,
  misplacements,
  type RotCase,
  sidecarDamage,
} from './rot-cases.ts';
import { judgeLiveRot, judgeRot, type RotOutcome } from './rot-check.ts';
import { judgePair } from './rot-pair-check.ts';
import { type PairSubject, pairSubjects } from './rot-pair-subjects.ts';
import { copies, pairsOf, type RotPair, removals } from './rot-pairs.ts';
import { corpusSubject, madeStore, type RotSubject } from './rot-subject.ts';

export interface RotSourceOptions {
  /** Fixtures of the committed corpus. Default: those of datawal. */
  readonly fixtures?: readonly string[] | undefined;
  /** Which bits of each byte are flipped. Default: all eight. */
  readonly bits?: readonly number[] | undefined;
  /** Decides on the copies of a living store, an integer from 0 to 2^32 - 1. */
  readonly seed: number;
}

/** One way of damaging one store: cases in a fixed order. */
export interface RotSource {
  readonly subject: string;
  readonly name: string;
  cases(): Iterable<JudgeableCase>;
}

export interface JudgeableCase {
  readonly row: string;
  readonly what: string;
  /** Two files or more are damaged. */
  readonly isPair: boolean;
  readonly needsSeal: boolean;
  /** Throws `PromiseBroken`. */
  judge(): Promise<RotOutcome>;
  /** Cases that this one stands for, where it is many at once. */
  readonly count?: () => number;
}

const ALL_BITS = [0, 1, 2, 3, 4, 5, 6, 7];
const LIVE_COPY_SAMPLES = 400;

/** Everything that happens to stores at rest, and to one that lives. */
export async function rotSources(options: RotSourceOptions): Promise<RotSource[]> {
  const { seed, bits = ALL_BITS } = options;
  const sources: RotSource[] = [];
  for (const name of options.fixtures ?? DATAWAL_FIXTURES.map(({ name }) => name)) {
    const subject = await corpusSubject(name);
    sources.push(single(subject, 'bits', () => flips(subject, bits)));
    sources.push(single(subject, 'cuts', () => cuts(subject)));
  }
  const made = await madeStore('ours');
  const other = await madeStore('theirs');
  for (const [subject, stranger] of [
    [made.closed, other.closed],
    [made.killed, other.killed],
    [made.reopened, other.reopened],
  ] as const) {
    const isFirst = subject !== made.reopened;
    sources.push(
      single(subject, 'bits', () => flips(subject, bits)),
      single(subject, 'cuts', () => cuts(subject)),
      single(subject, 'segments elsewhere', () => misplacements(subject, stranger)),
      single(subject, 'sidecars', () => sidecarDamage(subject, stranger, bits)),
      single(subject, 'aged sidecars', () => agedSidecars(subject, made.moments, isFirst)),
      single(subject, 'foreign appends', () => foreignAppends(subject)),
      live(subject, bits),
    );
  }
  sources.push(
    single({ name: 'ours, living' }, 'copies', () => liveCopies(made, seed, LIVE_COPY_SAMPLES)),
  );
  const { atRest, merging } = await pairSubjects();
  for (const subject of atRest) {
    sources.push(pair(subject, 'pairs', () => pairsOf(subject)));
    sources.push(pair(subject, 'removals', () => removals(subject)));
  }
  sources.push(pair(merging, 'copies', () => copies(merging, seed, LIVE_COPY_SAMPLES)));
  return sources;
}

function single(
  { name: subject }: Pick<RotSubject, 'name'>,
  name: string,
  cases: () => Iterable<RotCase>,
): RotSource {
  return {
    subject,
    name,
    *cases() {
      for (const damage of cases()) {
        const { row, what, needsSeal } = damage;
        yield { row, what, needsSeal, isPair: false, judge: () => judgeRot(damage) };
      }
    },
  };
}

function pair(subject: PairSubject, name: string, cases: () => Iterable<RotPair>): RotSource {
  return {
    subject: subject.name,
    name,
    *cases() {
      for (const damage of cases()) {
        const { row, what } = damage;
        const judge = () => judgePair(subject, damage);
        yield { row, what, needsSeal: false, isPair: true, judge };
      }
    },
  };
}

/** Every bit of a store that stays open: they are one case, as it is opened once. */
function live(subject: RotSubject, bits: readonly number[]): RotSource {
  return {
    subject: subject.name,
    name: 'bits while open',
    *cases() {
      let flipped = 1;
      yield {
        row: 'bit flipped while open',
        what: 'see the message',
        isPair: false,
        needsSeal: false,
        judge: async () => {
          flipped = await judgeLiveRot(subject, bits);
          return 'detected';
        },
        count: () => flipped,
      };
    },
  };
}
