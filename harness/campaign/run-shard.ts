import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { UsageError } from '../command-line.ts';
import { describeUnit } from './campaign-file.ts';
import type { CampaignFile } from './campaign-schema.ts';
import type { Shard } from './shard.ts';
import { digestOf, formatUnits, type UnitName } from './unit.ts';
import {
  ChangedLine,
  headerOf,
  readUnits,
  UNITS_FILE,
  type UnitLine,
  UnitLog,
} from './unit-lines.ts';
import { UnitProcess } from './unit-process.ts';

export const SHARD_FILE = 'shard.json';

export interface ShardOptions {
  readonly campaign: CampaignFile;
  /** Those to do. */
  readonly units: readonly UnitName[];
  /** Undefined when the units were named one by one. */
  readonly shard: Shard | undefined;
  /** Absolute; becomes the blob. */
  readonly directory: string;
  /** Go on from what is there; without it, what is there is removed. */
  readonly resumes: boolean;
  /** Units at a time. */
  readonly workers: number;
  /** The most seconds. What is not done then stays undone. */
  readonly seconds: number | undefined;
  /** Serves units; see `serveUnits`. */
  readonly program: URL;
  readonly signal: AbortSignal;
  readonly onUnit?: (line: UnitLine, done: number) => void;
}

/** `shard.json`, written last: what the shard came to. */
export interface ShardEnd {
  readonly schema: 1;
  readonly kind: 'tidemark-shard';
  readonly campaign: string;
  readonly build: string;
  readonly node: number;
  /** `3/16`, or which units were asked for. */
  readonly shard: string;
  readonly done: number;
  readonly broken: number;
  readonly skipped: number;
  /** By part, as `--units` takes them. */
  readonly notDone: Readonly<Record<string, string>>;
  /** Why some are not done, one line per reason. */
  readonly trouble: readonly string[];
  readonly startedAt: string;
  readonly durationMs: number;
}

/** Runs units, and leaves a line of each in the blob as soon as it is finished. */
export async function runShard(options: ShardOptions): Promise<ShardEnd> {
  const { campaign, directory, units, shard, signal, seconds } = options;
  const startedAt = new Date();
  const startMs = performance.now();
  const lines = join(directory, UNITS_FILE);
  const known = prepare(options, lines);
  const finished = new Map((known?.lines ?? []).map((line) => [keyOf(line), line]));
  const log = new UnitLog(lines, headerOf(campaign), known);
  const waiting = units.filter((unit) => !finished.has(keyOf(unit)));
  const trouble = new Set<string>();
  // Another process that was killed at this blob may have left it.
  const place = join(tmpdir(), `tidemark-units-${digestOf(directory)}`);
  rmSync(place, { recursive: true, force: true });
  const stop = new AbortController();
  const over = () => stop.abort();
  if (signal.aborted) over();
  signal.addEventListener('abort', over);
  const deadline = seconds === undefined ? undefined : setTimeout(over, seconds * 1000);
  const finish = (line: UnitLine) => {
    log.append(line);
    finished.set(keyOf(line), line);
    options.onUnit?.(line, finished.size);
  };
  try {
    await Promise.all(
      Array.from({ length: options.workers }, async (_, lane) => {
        const own = join(place, String(lane));
        await new Lane(options, own, stop.signal, waiting, finish, trouble).work();
      }),
    );
  } finally {
    clearTimeout(deadline);
    signal.removeEventListener('abort', over);
    log.close();
    rmSync(place, { recursive: true, force: true });
  }
  const asked = units.flatMap((unit) => finished.get(keyOf(unit)) ?? []);
  const end: ShardEnd = {
    schema: 1,
    kind: 'tidemark-shard',
    campaign: campaign.id,
    build: campaign.build,
    node: campaign.node,
    shard:
      shard === undefined
        ? Object.entries(unitsByPart(units))
            .map(([part, list]) => `${part}:${list}`)
            .join(' ')
        : `${shard.index}/${shard.count}`,
    done: asked.length,
    broken: asked.filter(({ status }) => status === 'broken').length,
    skipped: asked.filter(({ status }) => status === 'skipped').length,
    notDone: unitsByPart(units.filter((unit) => !finished.has(keyOf(unit)))),
    trouble: [...trouble],
    startedAt: startedAt.toISOString(),
    durationMs: Math.round(performance.now() - startMs),
  };
  writeWhole(join(directory, SHARD_FILE), `${JSON.stringify(end, undefined, 2)}\n`);
  return end;
}

/** What is there to go on from. Throws `UsageError`. */
function prepare({ campaign, directory, resumes }: ShardOptions, lines: string) {
  mkdirSync(directory, { recursive: true });
  rmSync(join(directory, SHARD_FILE), { force: true });
  if (!resumes || !existsSync(lines)) {
    for (const name of [UNITS_FILE, 'failures'])
      rmSync(join(directory, name), { recursive: true, force: true });
    return undefined;
  }
  try {
    const known = readUnits(lines);
    if (known.header !== undefined && known.header.campaign !== campaign.id)
      throw new UsageError(`--resume: ${directory} belongs to another campaign`);
    return known;
  } catch (error) {
    if (!(error instanceof ChangedLine)) throw error;
    throw new UsageError(`--resume: ${error.message}: begin again with --out`);
  }
}

/** One process after the other, each running units until there are none left or it is lost. */
class Lane {
  private readonly options: ShardOptions;
  private readonly place: string;
  private readonly signal: AbortSignal;
  private readonly waiting: UnitName[];
  private readonly finish: (line: UnitLine) => void;
  private readonly trouble: Set<string>;

  constructor(
    options: ShardOptions,
    place: string,
    signal: AbortSignal,
    waiting: UnitName[],
    finish: (line: UnitLine) => void,
    trouble: Set<string>,
  ) {
    this.options = options;
    this.place = place;
    this.signal = signal;
    this.waiting = waiting;
    this.finish = finish;
    this.trouble = trouble;
  }

  async work(): Promise<void> {
    const { campaign, directory: blob, program } = this.options;
    let own: UnitProcess | undefined;
    const stop = () => own?.stop();
    this.signal.addEventListener('abort', stop);
    for (let unit = this.next(); unit !== undefined; unit = this.next()) {
      own ??= new UnitProcess(program);
      const directory = join(this.place, `${unit.part}-${unit.unit}`);
      const answer = await own.run({ type: 'run', campaign, ...unit, directory, blob });
      // What was cut short says nothing.
      if (this.signal.aborted) break;
      if (answer.type === 'done') this.finish(answer.line);
      else {
        await own.end();
        own = undefined;
        if (answer.type === 'lost') this.finish(lostLine(unit, answer.message, this.options));
        else this.trouble.add(`${describeUnit(campaign, unit)}: ${answer.message}`);
      }
      rmSync(directory, { recursive: true, force: true });
    }
    this.signal.removeEventListener('abort', stop);
    await own?.end();
  }

  private next(): UnitName | undefined {
    return this.signal.aborted ? undefined : this.waiting.shift();
  }
}

/** A store that took its process along is a finding. */
function lostLine({ part, unit }: UnitName, message: string, { campaign }: ShardOptions): UnitLine {
  const finding = {
    invariant: 'alive',
    message: message.split('\n', 1)[0] as string,
    steps: [],
    command: `--campaign campaign.json --units ${part}:${unit}`,
    kept: '',
  };
  return {
    part,
    unit,
    status: 'broken',
    counts: {},
    measured: {},
    digest: digestOf(JSON.stringify([campaign.id, part, unit, finding.message])),
    ms: 0,
    cpuMs: 0,
    findings: [finding],
  };
}

export function unitsByPart(units: readonly UnitName[]): Record<string, string> {
  const byPart = new Map<string, number[]>();
  for (const { part, unit } of units) byPart.set(part, [...(byPart.get(part) ?? []), unit]);
  return Object.fromEntries([...byPart].map(([part, list]) => [part, formatUnits(list)]));
}

export function keyOf({ part, unit }: UnitName): string {
  return `${part} ${unit}`;
}

/** Whole or not at all, whatever happens to the machine. */
export function writeWhole(path: string, text: string): void {
  const temporary = `${path}.tmp`;
  writeFileSync(temporary, text);
  const descriptor = openSync(temporary, 'r');
  fsyncSync(descriptor);
  closeSync(descriptor);
  renameSync(temporary, path);
}
