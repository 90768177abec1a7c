import { join } from 'node:path';
import { AlwaysOffSampler, BasicTracerProvider, type SpanProcessor } from '@opentelemetry/sdk-trace-base';
import { Registry } from 'prom-client';
import { median } from 'simple-statistics';
import { openStore, type Probe, type Store } from '../src/engine/index.ts';
import { otelProbe } from '../src/telemetry/otel.ts';
import { prometheusProbe } from '../src/telemetry/prometheus.ts';
import { interleave, type Measured } from './measure.ts';

const KEYS = 100_000;
const CALLS = 50_000;

/** Ends spans, and forgets them. */
const NOWHERE: SpanProcessor = {
  onStart: () => {},
  onEnd: () => {},
  forceFlush: async () => {},
  shutdown: async () => {},
};

export interface TelemetryRow {
  readonly name: string;
  /** Nanoseconds a get. */
  readonly roundsNs: readonly number[];
  /** Medians over the rounds, against the same gets with no probe in the same round. */
  readonly ratio: number;
  readonly addedNs: number;
  readonly target: string;
}

/** Gets of 100-byte values with each kind of probe, interleaved, the same keys in the same order. */
export async function runTelemetryRows(directory: string, rounds: number): Promise<TelemetryRow[]> {
  const recording = new BasicTracerProvider({ spanProcessors: [NOWHERE] });
  const unsampled = new BasicTracerProvider({ sampler: new AlwaysOffSampler(), spanProcessors: [NOWHERE] });
  const all = otelProbe({ mode: 'all', tracerProvider: recording });
  const modes: readonly { name: string; target: string; probe?: Probe }[] = [
    { name: 'no probe', target: '' },
    { name: 'metrics', target: '+10 %', probe: prometheusProbe({ registry: new Registry() }) },
    { name: 'OTel API, no SDK', target: '+10 %', probe: otelProbe({ mode: 'all' }) },
    {
      name: 'SDK, unsampled',
      target: '+1 us',
      probe: otelProbe({ mode: 'all', tracerProvider: unsampled }),
    },
    {
      name: 'SDK, parent mode, no parent',
      target: '+1 us',
      probe: otelProbe({ mode: 'parent', tracerProvider: recording }),
    },
    { name: 'SDK, all', target: '+6 us', probe: all },
  ];
  const stores: Store[] = [];
  try {
    const works = [];
    for (const [index, { name, probe }] of modes.entries()) {
      const store = await openStore(join(directory, String(index)), probe === undefined ? {} : { probe });
      stores.push(store);
      for (let key = 0; key < KEYS; key++) store.put(`key-${key}`, Buffer.alloc(100, key));
      const keys = Array.from({ length: 1000 }, (_, at) => Buffer.from(`key-${(at * 7919) % KEYS}`));
      works.push({
        name,
        run: (count: number) => {
          for (let call = 0; call < count; call++) {
            if (store.get(keys[call % keys.length] as Buffer) === undefined) throw new Error('lost');
          }
        },
      });
    }
    const before = { pread: all.spanCounts.pread.emitted, crc: all.spanCounts.crc_validate.emitted };
    const measured = await interleave(works, CALLS, rounds);
    checkOnePerGet(all.spanCounts.pread.emitted - before.pread, (rounds + 1) * CALLS, 'tidemark.pread');
    checkOnePerGet(
      all.spanCounts.crc_validate.emitted - before.crc,
      (rounds + 1) * CALLS,
      'tidemark.crc_validate',
    );
    const base = measured[0] as Measured;
    return measured.map(({ name, roundsNs }, index) => ({
      name,
      roundsNs,
      ratio: median(roundsNs.map((ns, round) => ns / (base.roundsNs[round] as number))),
      addedNs: median(roundsNs.map((ns, round) => ns - (base.roundsNs[round] as number))),
      target: modes[index]?.target ?? '',
    }));
  } finally {
    for (const store of stores) await store.close();
  }
}

function checkOnePerGet(spans: number, gets: number, name: string): void {
  if (spans !== gets) throw new Error(`${spans} spans ${name} for ${gets} gets`);
}
