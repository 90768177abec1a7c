import { AsyncLocalStorage } from 'node:async_hooks';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { context, type HrTime, trace } from '@opentelemetry/api';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  ParentBasedSampler,
  type ReadableSpan,
  SimpleSpanProcessor,
  TraceIdRatioBasedSampler,
} from '@opentelemetry/sdk-trace-base';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { intercept } from '../../harness/file-systems/intercepted.ts';
import { MemoryFileSystem } from '../../harness/file-systems/memory-file-system.ts';
import { openStore, type Probe, type Store, type StoreEvent } from '../../src/engine/index.ts';
import { type OtelProbeOptions, otelProbe } from '../../src/telemetry/otel.ts';
import type { SpanCounting } from '../../src/telemetry/span-counts.ts';
import { AsyncLocalStorageContextManager } from './context-manager.ts';

const DIRECTORY = '/store';
const BACKGROUND = new Set(['sync', 'seal', 'compact']);

/** A service: each request is a root span, in a storage of the application's own. */
class Service {
  readonly storage = new AsyncLocalStorage<string>();
  readonly exporter = new InMemorySpanExporter();
  /** What the engine did, and in whose request. */
  readonly seen: { readonly what: string; readonly request: string | undefined }[] = [];
  readonly otel: SpanCounting;
  readonly provider: BasicTracerProvider;
  store!: Store;

  constructor(sampledShare: number, options: Omit<OtelProbeOptions, 'tracerProvider'>) {
    this.provider = new BasicTracerProvider({
      spanProcessors: [new SimpleSpanProcessor(this.exporter)],
      sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(sampledShare) }),
    });
    this.otel = otelProbe({ ...options, tracerProvider: this.provider });
  }

  private note(what: string): void {
    this.seen.push({ what, request: this.storage.getStore() });
  }

  async open(): Promise<void> {
    const begun = new Map<number, string>();
    const witness: Probe = {
      began: (operation, kind) => {
        begun.set(operation, kind);
        this.note(kind);
        return false;
      },
      event: (event: StoreEvent) => this.note(event.kind),
    };
    const fileSystem = intercept(new MemoryFileSystem(), ({ method, name, proceed }) => {
      if (/Async$|holdLease/.test(method)) this.note(`${method} of ${name}`);
      return proceed();
    });
    // Opened by the first request, as a service does that opens its store when it is needed.
    this.store = await this.storage.run('opener', () =>
      openStore(DIRECTORY, {
        fileSystem,
        segmentBytes: 2_000,
        name: 'sessions',
        probe: [witness, this.otel],
        compaction: { auto: { deadRatio: 0.2, minBytes: 1_000 } },
      }),
    );
  }

  /** Gives seals and merges their turns. */
  async merged(): Promise<void> {
    for (let turn = 0; turn < 5; turn++) await nextTurn();
  }

  request(id: string, handle: () => Promise<unknown>): Promise<unknown> {
    return this.storage.run(id, () => {
      const span = this.provider.getTracer('service').startSpan('request');
      return context.with(trace.setSpan(context.active(), span), async () => {
        try {
          return await handle();
        } finally {
          span.end();
        }
      });
    });
  }
}

function ns([seconds, nanos]: HrTime): bigint {
  return BigInt(seconds) * 1_000_000_000n + BigInt(nanos);
}

function named(spans: readonly ReadableSpan[], operation: string): ReadableSpan[] {
  return spans.filter((span) => span.attributes['db.operation.name'] === operation);
}

describe('the durable wait', () => {
  beforeAll(() => {
    context.setGlobalContextManager(new AsyncLocalStorageContextManager());
  });
  afterAll(() => {
    context.disable();
  });

  const modes: readonly Omit<OtelProbeOptions, 'tracerProvider'>[] = [
    { mode: 'all' },
    { mode: 'parent' },
  ];
  const cases = modes.flatMap((options) =>
    [1, 0.2].flatMap((share) =>
      [1, 2, 7, 64].map((atOnce) => [options.mode, share, atOnce, options] as const),
    ),
  );

  test.each(cases)(
    'mode %s, %d of requests sampled, %d at once: every request sees its wait, linked to the one sync that served it',
    async (_mode, share, atOnce, options) => {
      const service = new Service(share, options);
      await service.open();
      const requests = 192;
      for (let round = 0; round < requests / atOnce; round++) {
        await Promise.all(
          Array.from({ length: atOnce }, (_, index) =>
            service.request(`${round}.${index}`, async () => {
              // They come in one turn, in several, and while a sync is running.
              for (let turn = 0; turn < index % 3; turn++) await nextTurn();
              const key = `key ${index % 4}`;
              if (index % 2 === 0) await service.store.putDurable(key, `value ${round}`);
              else {
                service.store.put(key, `value ${round}`);
                await service.store.sync();
              }
            }),
          ),
        );
        await service.merged();
      }
      await service.store.close();
      const spans = service.exporter.getFinishedSpans();
      const roots = spans.filter(({ name }) => name === 'request');
      const waits = named(spans, 'durableWait');
      const syncs = new Map(named(spans, 'sync').map((span) => [span.spanContext().spanId, span]));
      expect(roots.length).toBeGreaterThan(share === 1 ? requests - 1 : 5);
      const byTrace = new Map(waits.map((wait) => [wait.spanContext().traceId, wait]));
      const requested = waits.filter((wait) => wait.parentSpanContext !== undefined);
      expect(requested).toHaveLength(roots.length);
      for (const root of roots) {
        const wait = byTrace.get(root.spanContext().traceId) as ReadableSpan;
        expect(wait.parentSpanContext?.spanId).toBe(root.spanContext().spanId);
        expect(wait.links).toHaveLength(1);
        const sync = syncs.get(wait.links[0]?.context.spanId ?? '') as ReadableSpan;
        expect(sync, 'the sync is recorded').toBeDefined();
        // It began after the call, and ended before the acknowledgement.
        expect(ns(sync.startTime)).toBeGreaterThanOrEqual(ns(wait.startTime));
        expect(ns(sync.endTime)).toBeLessThanOrEqual(ns(wait.endTime));
      }
      const requestTraces = new Set(roots.map((root) => root.spanContext().traceId));
      for (const kind of BACKGROUND)
        for (const span of named(spans, kind)) {
          expect(span.parentSpanContext).toBeUndefined();
          expect(requestTraces).not.toContain(span.spanContext().traceId);
        }
      if (share === 1 && options.mode === 'all')
        for (const kind of BACKGROUND) expect(named(spans, kind).length, kind).toBeGreaterThan(0);
    },
  );

  test.each([1, 8])(
    'nothing of the engine runs in the request of whoever started it: %d at once',
    async (atOnce) => {
      const service = new Service(1, { mode: 'off' });
      await service.open();
      for (let round = 0; round < 40; round++) {
        await Promise.all(
          Array.from({ length: atOnce }, (_, index) =>
            service.request('request', () =>
              service.store.putDurable(`key ${index}`, 'v'.repeat(200)),
            ),
          ),
        );
        await service.merged();
      }
      await service.storage.run('closer', () => service.store.close());
      const background = service.seen.filter(
        ({ what, request }) =>
          BACKGROUND.has(what) || (/^(dataSync|directorySync)/.test(what) && request !== 'closer'),
      );
      expect(background.map(({ request }) => request)).toEqual(background.map(() => undefined));
      for (const kind of BACKGROUND)
        expect(background.filter(({ what }) => what === kind).length, kind).toBeGreaterThan(2);
      // And what a caller asked for is told in the caller's own.
      const own = service.seen.filter(({ what }) => what === 'put' || what === 'durableWait');
      expect(own.length).toBeGreaterThan(80 * atOnce - 1);
      expect(new Set(own.map(({ request }) => request))).toEqual(new Set(['request']));
    },
  );
});
