import type { WriteStream } from 'node:tty';
import { printableLines } from '../standard-streams.ts';
import { formatBytes, formatCount, formatSeconds } from '../units.ts';
import type { Sample } from './sampling/sample.ts';

/** What a run is heading for; undefined where nothing limits it. */
export interface Goal {
  readonly bytes?: number;
  readonly seconds?: number;
}

/** Tells a person how a run is going. */
export interface Progress {
  /** A line that stays. */
  print(line: string): void;
  update(sample: Sample, goal: Goal): void;
  /** Leaves nothing unfinished on the terminal. */
  end(): void;
}

/** One live line on a terminal; plain lines, further and further apart, anywhere else. */
export function progressOn(stream: NodeJS.WriteStream): Progress {
  return stream.isTTY ? new LiveLine(stream) : new PlainLines(stream);
}

const DEFAULT_COLUMNS = 80;
const CLEAR_LINE = '\r\u001b[2K';

class LiveLine implements Progress {
  private readonly stream: WriteStream;
  private readonly rate = new Rate();

  constructor(stream: WriteStream) {
    this.stream = stream;
  }

  print(line: string): void {
    this.stream.write(`${CLEAR_LINE}${printableLines(line)}\n`);
  }

  update(sample: Sample, goal: Goal): void {
    const line = describe(sample, goal, this.rate.after(sample)).join('  ');
    // A line that wraps cannot be cleared. Some terminals do not know their width, and say 0.
    const width = this.stream.columns || DEFAULT_COLUMNS;
    this.stream.write(`${CLEAR_LINE}${line.slice(0, width - 1)}`);
  }

  end(): void {
    this.stream.write(CLEAR_LINE);
  }
}

const LEAST_INTERVAL_S = 5;
/** Seldom enough for a run of days, often enough for a pipeline that kills what is silent. */
const MOST_INTERVAL_S = 60;
const INTERVAL_SHARE = 0.05;

class PlainLines implements Progress {
  private readonly stream: NodeJS.WritableStream;
  private readonly rate = new Rate();
  private nextAtS = LEAST_INTERVAL_S;

  constructor(stream: NodeJS.WritableStream) {
    this.stream = stream;
  }

  print(line: string): void {
    this.stream.write(`${printableLines(line)}\n`);
  }

  update(sample: Sample, goal: Goal): void {
    const bytesPerSecond = this.rate.after(sample);
    const { elapsedS } = sample;
    if (elapsedS < this.nextAtS) return;
    this.nextAtS =
      elapsedS + Math.min(MOST_INTERVAL_S, Math.max(LEAST_INTERVAL_S, elapsedS * INTERVAL_SHARE));
    this.print(
      [
        formatSeconds(elapsedS).padStart('12 min 34 s'.length),
        ...describe(sample, goal, bytesPerSecond),
      ].join('  '),
    );
  }

  end(): void {}
}

/** The rate over the last few samples, so that a pause shows and a single slow second does not. */
class Rate {
  private static readonly WINDOW = 5;
  private readonly recent: { readonly elapsedS: number; readonly bytes: number }[] = [];

  /** Bytes a second. */
  after({ elapsedS, inside }: Sample): number {
    this.recent.push({
      elapsedS,
      bytes: inside?.totals.bytesWritten ?? this.recent.at(-1)?.bytes ?? 0,
    });
    if (this.recent.length > Rate.WINDOW) this.recent.shift();
    const [first, last] = [this.recent[0], this.recent.at(-1)];
    if (first === undefined || last === undefined || last.elapsedS === first.elapsedS) return 0;
    return (last.bytes - first.bytes) / (last.elapsedS - first.elapsedS);
  }
}

/** Each sample as one line, to whoever wants it. */
export function progressTo(tell: (line: string) => void): Progress {
  const rate = new Rate();
  return {
    print: tell,
    update: (sample, goal) => tell(describe(sample, goal, rate.after(sample)).join('  ')),
    end: () => {},
  };
}

/** What can be cut off on a narrow terminal comes last. */
function describe(
  { elapsedS, outside, inside }: Sample,
  goal: Goal,
  bytesPerSecond: number,
): string[] {
  const bytes = inside?.totals.bytesWritten ?? 0;
  const {
    bytes: goalBytes = Number.POSITIVE_INFINITY,
    seconds: goalSeconds = Number.POSITIVE_INFINITY,
  } = goal;
  const share = Math.min(1, Math.max(bytes / goalBytes, elapsedS / goalSeconds));
  const leftS = secondsLeft(elapsedS, bytes, goal, bytesPerSecond);
  return [
    (inside?.phase ?? 'busy').padEnd('compacting'.length),
    `${String(Math.floor(share * 100)).padStart(3)} %`,
    goal.bytes === undefined
      ? formatBytes(bytes)
      : `${formatBytes(bytes)} of ${formatBytes(goal.bytes)}`,
    `${formatBytes(bytesPerSecond)}/s`,
    ...(share === 1 ? [`${formatCount(inside?.totals.keysChecked ?? 0)} keys checked`] : []),
    ...(share < 1 && leftS !== undefined ? [`${formatSeconds(Math.ceil(leftS))} left`] : []),
    `RSS ${outside.rssBytes === undefined ? '?' : formatBytes(outside.rssBytes)}`,
    `fds ${outside.descriptors?.open ?? '?'}`,
  ];
}

function secondsLeft(
  elapsedS: number,
  bytes: number,
  goal: Goal,
  bytesPerSecond: number,
): number | undefined {
  const byTime = goal.seconds === undefined ? Number.POSITIVE_INFINITY : goal.seconds - elapsedS;
  const byBytes =
    goal.bytes === undefined || bytesPerSecond === 0
      ? Number.POSITIVE_INFINITY
      : (goal.bytes - bytes) / bytesPerSecond;
  const left = Math.min(byTime, byBytes);
  return Number.isFinite(left) ? Math.max(0, left) : undefined;
}
