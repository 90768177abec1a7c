import { context, type HrTime, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import {
  AlwaysOffSampler,
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MemoryFileSystem } from '../../harness/file-systems/memory-file-system.ts';
import { segmentPath } from '../../src/engine/format/segment-name.ts';
import {
  openReader,
  openStore,
  type Probe,
  type RecordRef,
  type Store,
} from '../../src/engine/index.ts';
import { type OtelProbeOptions, otelProbe } from '../../src/telemetry/otel.ts';
import type { SpanCounting } from '../../src/telemetry/span-counts.ts';

const DIRECTORY = '/store';
const SECRET_KEY = 'secret-key';
const SECRET_VALUE = 'secret-value';

/** Counts what the engine reports, independently of the adapter under test. */
class Tally implements Probe {
  preads = 0;
  validations = 0;
  read(): void {
    this.preads++;
  }
  crcValidated(): void {
    this.validations++;
  }
}

interface Traced {
  readonly store: Store;
  readonly fileSystem: MemoryFileSystem;
  readonly exporter: InMemorySpanExporter;
  readonly otel: SpanCounting;
  readonly tally: Tally;
  readonly provider: BasicTracerProvider;
}

async function traced(
  options: Omit<OtelProbeOptions, 'tracerProvider'>,
  sampled = true,
): Promise<Traced> {
  const exporter = new InMemorySpanExporter();
  const provider = new BasicTracerProvider({
    spanProcessors: [new SimpleSpanProcessor(exporter)],
    ...(sampled ? {} : { sampler: new AlwaysOffSampler() }),
  });
  const otel = otelProbe({ ...options, tracerProvider: provider });
  const tally = new Tally();
  const fileSystem = new MemoryFileSystem();
  const store = await openStore(DIRECTORY, {
    fileSystem,
    segmentBytes: 400,
    name: 'sessions',
    probe: [tally, otel],
  });
  return { store, fileSystem, exporter, otel, tally, provider };
}

const action = fc.oneof(
  fc.record({ kind: fc.constantFrom('put', 'get', 'getAsync', 'delete', 'batch'), key: fc.nat(8) }),
  fc.record({
    kind: fc.constantFrom('sync', 'rotate', 'scan', 'export', 'compactTo', 'corrupt'),
    key: fc.nat(8),
  }),
);

async function act(
  { store, fileSystem }: Traced,
  kind: string,
  key: number,
  step: number,
): Promise<void> {
  const name = `${SECRET_KEY}-${key}`;
  switch (kind) {
    case 'put':
      store.put(name, `${SECRET_VALUE}-${step}`);
      break;
    case 'get':
      store.get(name);
      break;
    case 'getAsync':
      await Promise.all([store.getAsync(name), store.getAsync(`${SECRET_KEY}-0`)]);
      break;
    case 'delete':
      store.delete(name);
      break;
    case 'batch':
      store.batch([
        { type: 'put', key: name, value: SECRET_VALUE },
        { type: 'del', key: `${SECRET_KEY}-1` },
      ]);
      break;
    case 'sync':
      await store.sync();
      break;
    case 'rotate':
      store.rotate();
      break;
    case 'scan':
      for (const _ of store.scan()) break;
      break;
    case 'export':
      await store.exportJsonl(`/export-${step}`);
      break;
    case 'compactTo':
      await store.compactTo(`/compacted-${step}`);
      break;
    case 'corrupt': {
      const ref = store.refOf(name);
      if (ref === undefined) break;
      fileSystem.mutate(segmentPath(DIRECTORY, ref.segmentId), (bytes) => {
        bytes[ref.offset + ref.byteLength - 1] =
          (bytes[ref.offset + ref.byteLength - 1] as number) ^ 1;
        return undefined;
      });
    }
  }
}

async function run(
  traced: Traced,
  actions: readonly { kind: string; key: number }[],
): Promise<void> {
  for (const [step, { kind, key }] of actions.entries()) {
    // Injected damage makes reads, scans and compactions fail; that is part of what is traced.
    await act(traced, kind, key, step).catch(() => {});
  }
  await traced.store.close();
}

function ns([seconds, nanos]: HrTime): bigint {
  return BigInt(seconds) * 1_000_000_000n + BigInt(nanos);
}

function countNamed(spans: readonly ReadableSpan[], name: string): number {
  return spans.filter((span) => span.name === name).length;
}

describe('otel probe', () => {
  test('all: one span for every pread and every checksum, nested, in order, without keys or values', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(action, { maxLength: 40 }), async (actions) => {
        const t = await traced({ mode: 'all' });
        await run(t, actions);
        const spans = t.exporter.getFinishedSpans();
        expect(countNamed(spans, 'tidemark.pread')).toBe(t.tally.preads);
        expect(countNamed(spans, 'tidemark.crc_validate')).toBe(t.tally.validations);
        expect(t.otel.spanCounts.pread).toEqual({
          emitted: t.tally.preads,
          unsampled: 0,
          budget: 0,
        });
        expect(t.otel.spanCounts.crc_validate).toEqual({
          emitted: t.tally.validations,
          unsampled: 0,
          budget: 0,
        });
        const { emitted } = t.otel.spanCounts.operation;
        const parts = t.tally.preads + t.tally.validations + t.otel.spanCounts.segment.emitted;
        expect(spans).toHaveLength(emitted + parts);
        const byId = new Map(spans.map((span) => [span.spanContext().spanId, span]));
        for (const span of spans) {
          expect(span.kind).toBe(SpanKind.INTERNAL);
          expect(ns(span.endTime)).toBeGreaterThanOrEqual(ns(span.startTime));
          const parentId = span.parentSpanContext?.spanId;
          if (!span.name.startsWith('tidemark.')) {
            expect(parentId).toBeUndefined();
            expect(span.attributes).toMatchObject({
              'db.system.name': 'tidemark',
              'db.namespace': 'sessions',
            });
            expect(span.name).toBe(`${span.attributes['db.operation.name']} sessions`);
          } else {
            const parent = byId.get(parentId ?? '') as ReadableSpan;
            expect(ns(span.startTime)).toBeGreaterThanOrEqual(ns(parent.startTime));
            expect(ns(span.endTime)).toBeLessThanOrEqual(ns(parent.endTime));
          }
          const failed = span.attributes['error.type'] !== undefined;
          expect(span.status.code).toBe(failed ? SpanStatusCode.ERROR : SpanStatusCode.UNSET);
          expect(
            JSON.stringify([span.name, span.attributes, span.events, span.status]),
          ).not.toMatch(/secret/);
        }
      }),
      { numRuns: 60 },
    );
  });

  test('a get and its two parts say where, how much and with what outcome', async () => {
    const t = await traced({ mode: 'all' });
    t.store.put('key', 'value');
    t.exporter.reset();
    t.store.get('key');
    const { segmentId, offset, byteLength } = t.store.refOf('key') as RecordRef;
    const said = t.exporter.getFinishedSpans().map(({ name, attributes }) => [name, attributes]);
    expect(said).toEqual([
      [
        'tidemark.pread',
        { 'tidemark.segment': segmentId, 'tidemark.offset': offset, 'tidemark.bytes': byteLength },
      ],
      ['tidemark.crc_validate', { 'tidemark.outcome': 'ok', 'tidemark.bytes': byteLength }],
      [
        'get sessions',
        {
          'db.system.name': 'tidemark',
          'db.operation.name': 'get',
          'db.namespace': 'sessions',
          'tidemark.hit': true,
        },
      ],
    ]);
    await t.store.close();
  });

  const suppressing: readonly [string, Omit<OtelProbeOptions, 'tracerProvider'>, boolean][] = [
    ['off', { mode: 'off' }, true],
    ['parent, outside any span', { mode: 'parent' }, true],
    ['ratio', { mode: 'ratio', ratio: 0.5 }, true],
    ['all within a budget', { mode: 'all', budgetPerSecond: 20 }, true],
    ['all, refused by the SDK', { mode: 'all' }, false],
  ];

  test.each(suppressing)(
    '%s: what is emitted and what is suppressed add up',
    async (_name, options, sampled) => {
      await fc.assert(
        fc.asyncProperty(fc.array(action, { maxLength: 40 }), async (actions) => {
          const t = await traced(options, sampled);
          await run(t, actions);
          const spans = t.exporter.getFinishedSpans();
          const { pread, crc_validate } = t.otel.spanCounts;
          expect(pread.emitted + pread.unsampled + pread.budget).toBe(t.tally.preads);
          expect(crc_validate.emitted + crc_validate.unsampled + crc_validate.budget).toBe(
            t.tally.validations,
          );
          expect(countNamed(spans, 'tidemark.pread')).toBe(pread.emitted);
          expect(countNamed(spans, 'tidemark.crc_validate')).toBe(crc_validate.emitted);
        }),
        { numRuns: 20 },
      );
    },
  );

  test('parent: inside a sampled span of the caller, and as its child', async () => {
    const { AsyncLocalStorageContextManager } = await import('./context-manager.ts');
    const manager = new AsyncLocalStorageContextManager();
    context.setGlobalContextManager(manager);
    try {
      const t = await traced({ mode: 'parent' });
      t.store.put('key', 'value');
      t.store.get('key');
      const caller = t.provider.getTracer('test').startSpan('request');
      context.with(trace.setSpan(context.active(), caller), () => t.store.get('key'));
      caller.end();
      const get = t.exporter
        .getFinishedSpans()
        .find((span) => span.name === 'get sessions') as ReadableSpan;
      expect(get.parentSpanContext?.spanId).toBe(caller.spanContext().spanId);
      expect(t.otel.spanCounts.pread).toMatchObject({ emitted: 1, unsampled: 1 });
      await t.store.close();
    } finally {
      context.disable();
    }
  });

  test('a sync is linked to the writes that it made durable, a bounded number of them', async () => {
    const t = await traced({ mode: 'all' });
    t.exporter.reset();
    const writes = 40;
    for (let index = 0; index < writes; index++) t.store.put('key', String(index));
    await t.store.sync();
    const spans = t.exporter.getFinishedSpans();
    const puts = spans
      .filter((span) => span.name === 'put sessions')
      .map((span) => span.spanContext().spanId);
    const sync = spans.find(
      (span) => span.name === 'sync sessions' && span.links.length > 0,
    ) as ReadableSpan;
    expect(sync.links.map((link) => link.context.spanId)).toEqual(puts.slice(-sync.links.length));
    expect(sync.links.length).toBeLessThan(writes);
    await t.store.close();
  });

  test('a lock-free reader is traced as well', async () => {
    const t = await traced({ mode: 'off' });
    t.store.put('key', 'value');
    const exporter = new InMemorySpanExporter();
    const provider = new BasicTracerProvider({
      spanProcessors: [new SimpleSpanProcessor(exporter)],
    });
    const otel = otelProbe({ mode: 'all', tracerProvider: provider });
    const reader = await openReader(DIRECTORY, {
      fileSystem: t.fileSystem,
      name: 'copy',
      probe: otel,
    });
    reader.get('key');
    await reader.close();
    await t.store.close();
    expect(exporter.getFinishedSpans().map(({ name }) => name)).toContain('get copy');
  });

  test.each([
    [{ mode: 'some' }, RangeError],
    [{ mode: 'ratio' }, TypeError],
    [{ mode: 'ratio', ratio: 1.5 }, RangeError],
    [{ mode: 'all', ratio: 0.5 }, TypeError],
    [{ mode: 'parent', budgetPerSecond: 5 }, TypeError],
    [{ mode: 'all', budgetPerSecond: 0 }, RangeError],
  ])('bad options are refused: %j', (options, kind) => {
    expect(() => otelProbe(options as OtelProbeOptions)).toThrow(kind);
  });
});
