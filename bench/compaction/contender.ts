import { join } from 'node:path';
import { mean } from 'simple-statistics';
import { directorySizeBytes } from '../../harness/soak/sampling/directory-size.ts';
import * as engine from '../../src/engine/index.ts';
import type { ContenderSpec } from '../measuring/contender.ts';
import { countCalls } from '../measuring/counting-file-system.ts';
import type { Group } from '../measuring/group.ts';
import { type LoadMeasures, OverwriteLoad } from './overwrite-load.ts';

/** The live values come to about 220 MB. */
const KEYS = 50_000;
/** Puts of the time before the measuring, over the keys: merging has found its pace by then. */
const PASSES = 4;

export interface CompactionInput {
  readonly directory: string;
  readonly merging: boolean;
  readonly seconds: number;
  readonly scale: number;
}

/** What merges did; bytes are those of their inputs. */
export interface MergeTotals {
  readonly count: number;
  readonly inputBytes: number;
  readonly durationNs: number;
}

export interface CompactionMeasures extends LoadMeasures {
  /** Bytes of all write calls; merges, seals and marks are among them. */
  readonly writtenBytes: number;
  /** Bytes of live frames over bytes of all files, about once a second. */
  readonly meanLiveShare: number;
  readonly leastLiveShare: number;
  /** Merges that ran while the load did. */
  readonly merges: MergeTotals;
  /** Merges of one `compact` after the load, with nothing beside it. */
  readonly alone: MergeTotals;
}

/** A process that runs the load, with automatic merges or without. */
export function compactionContender(input: CompactionInput): ContenderSpec {
  return { label: input.merging ? 'merging' : 'not merging', moduleUrl: import.meta.url, input };
}

/** Called in the process. */
export async function setUp(
  input: CompactionInput,
): Promise<Group & { details: CompactionMeasures }> {
  const directory = join(input.directory, 'store');
  const counting = countCalls(engine);
  const merged = { count: 0, inputBytes: 0, durationNs: 0 };
  const probe: engine.Probe = {
    event(event) {
      if (event.kind !== 'compact') return;
      if (event.error !== undefined) throw event.error;
      merged.count++;
      merged.inputBytes += event.inputBytes;
      merged.durationNs += event.durationNs;
    },
  };
  const store = await engine.openStore(directory, {
    fileSystem: counting.fileSystem,
    probe,
    ...(input.merging ? { compaction: { auto: {} } } : {}),
  });
  const load = new OverwriteLoad(store, Math.max(1000, Math.round(KEYS * input.scale)));
  await load.fill(PASSES);
  counting.take();
  const before = { ...merged };
  const shares: number[] = [];
  const measures = await load.measure(input.seconds, () => {
    shares.push(store.stats().liveBytes / (directorySizeBytes(directory) ?? 0));
  });
  const { writtenBytes } = counting.take();
  const merges = difference(merged, before);
  const middle = { ...merged };
  await store.compact();
  const alone = difference(merged, middle);
  await store.close();
  return {
    works: [],
    details: {
      ...measures,
      writtenBytes,
      meanLiveShare: mean(shares),
      leastLiveShare: Math.min(...shares),
      merges,
      alone,
    },
    finish: async () => {},
  };
}

function difference(after: MergeTotals, before: MergeTotals): MergeTotals {
  return {
    count: after.count - before.count,
    inputBytes: after.inputBytes - before.inputBytes,
    durationNs: after.durationNs - before.durationNs,
  };
}
