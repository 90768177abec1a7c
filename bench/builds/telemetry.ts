import { join } from 'node:path';
import {
  AlwaysOffSampler,
  BasicTracerProvider,
  type SpanProcessor,
} from '@opentelemetry/sdk-trace-base';
import { Registry } from 'prom-client';
import { median } from 'simple-statistics';
import { openStore, type Probe } from '../../src/engine/index.ts';
import { otelProbe, type SpanCounting } from '../../src/telemetry/otel.ts';
import { prometheusProbe } from '../../src/telemetry/prometheus.ts';
import { runContest } from '../measuring/contest.ts';
import type { Group } from '../measuring/group.ts';

const KEYS = 100_000;
const CALLS = 50_000;
/**
 * How fast a process is also depends on what its compiler chose to inline, so a mode is measured in
 * several.
 */
const LAUNCHES = 3;

/** Ends spans, and forgets them. */
const NOWHERE: SpanProcessor = {
  onStart: () => {},
  onEnd: () => {},
  forceFlush: async () => {},
  shutdown: async () => {},
};

interface Mode {
  readonly name: string;
  readonly target: string;
  readonly probe?: () => Probe;
  /** Each get must emit exactly one span of each kind. */
  readonly exact?: true;
}

const recording = () => new BasicTracerProvider({ spanProcessors: [NOWHERE] });
const refusing = () =>
  new BasicTracerProvider({ sampler: new AlwaysOffSampler(), spanProcessors: [NOWHERE] });

const MODES: readonly Mode[] = [
  { name: 'no probe', target: '' },
  { name: 'metrics', target: '+10 %', probe: () => prometheusProbe({ registry: new Registry() }) },
  { name: 'OTel API, no SDK', target: '+10 %', probe: () => otelProbe({ mode: 'all' }) },
  {
    name: 'SDK alone: startSpan, refused',
    target: '',
    probe: () => new BareStartSpan(),
  },
  {
    name: 'SDK, unsampled',
    target: '+1 us',
    probe: () => otelProbe({ mode: 'all', tracerProvider: refusing() }),
  },
  {
    name: 'SDK, parent mode, no parent',
    target: '+1 us',
    probe: () => otelProbe({ mode: 'parent', tracerProvider: recording() }),
  },
  {
    name: 'SDK, all',
    target: '+6 us',
    probe: () => otelProbe({ mode: 'all', tracerProvider: recording() }),
    exact: true,
  },
];

/** What asking the SDK's sampler costs, whoever asks: the floor of the row after it. */
class BareStartSpan implements Probe {
  private readonly tracer = refusing().getTracer('bare');
  private readonly options = {
    attributes: {
      'db.system.name': 'tidemark',
      'db.operation.name': 'get',
      'db.namespace': 'bare',
    },
  };

  began(): boolean {
    return this.tracer.startSpan('get bare', this.options).isRecording();
  }
}

export interface TelemetryRow {
  readonly name: string;
  /** Nanoseconds a get, by launch. */
  readonly launchesNs: readonly (readonly number[])[];
  /** Medians over the rounds, against the same gets with no probe in the same round. */
  readonly ratio: number;
  readonly addedNs: number;
  readonly target: string;
}

/**
 * Gets of 100-byte values with each kind of probe, each in a process of its own, as it is in use:
 * in one process they would spoil each other's compiled code. The processes take turns, round by
 * round.
 */
export async function runTelemetryRows(directory: string, rounds: number): Promise<TelemetryRow[]> {
  const sides = MODES.map(({ name }, mode) => ({
    start: (own: string) => ({
      label: name,
      moduleUrl: import.meta.url,
      input: { mode, directory: own },
    }),
  }));
  const results = await runContest(directory, sides, { launches: LAUNCHES, rounds });
  const measured = results.map(({ rows }) => rows[0]?.launches ?? []);
  const base = (measured[0] ?? []).flat();
  return MODES.map(({ name, target }, mode) => {
    const launchesNs = measured[mode] ?? [];
    const all = launchesNs.flat();
    return {
      name,
      target,
      launchesNs,
      ratio: median(all.map((ns, round) => ns / (base[round] as number))),
      addedNs: median(all.map((ns, round) => ns - (base[round] as number))),
    };
  });
}

/** Called in the process. */
export async function setUp(input: {
  readonly mode: number;
  readonly directory: string;
}): Promise<Group> {
  const { probe: makeProbe, exact = false } = MODES[input.mode] as Mode;
  const probe = makeProbe?.();
  const store = await openStore(
    join(input.directory, 'store'),
    probe === undefined ? {} : { probe },
  );
  for (let key = 0; key < KEYS; key++) store.put(`key-${key}`, Buffer.alloc(100, key));
  const keys = Array.from({ length: 1000 }, (_, at) => Buffer.from(`key-${(at * 7919) % KEYS}`));
  let gets = 0;
  const before = exact ? emittedBy(probe as SpanCounting) : [];
  return {
    works: [
      {
        id: 'get',
        name: 'get of a 100-byte value',
        unit: 'ns',
        calls: CALLS,
        run() {
          for (let call = 0; call < CALLS; call++) {
            if (store.get(keys[call % keys.length] as Buffer) === undefined)
              throw new Error('lost');
          }
          gets += CALLS;
        },
      },
    ],
    async finish() {
      if (exact) checkOnePerGet(emittedBy(probe as SpanCounting), before, gets);
      await store.close();
    },
  };
}

function emittedBy({ spanCounts: { operation, pread, crc_validate } }: SpanCounting): number[] {
  return [operation.emitted, pread.emitted, crc_validate.emitted];
}

function checkOnePerGet(after: readonly number[], before: readonly number[], gets: number): void {
  const spans = after.map((count, kind) => count - (before[kind] as number));
  if (spans.some((count) => count !== gets)) {
    throw new Error(
      `${spans.join(', ')} spans of get, tidemark.pread and tidemark.crc_validate for ${gets} gets`,
    );
  }
}
