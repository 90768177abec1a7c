import {
  type Attributes,
  type AttributeValue,
  type Context,
  context,
  type HrTime,
  type Link,
  ProxyTracerProvider,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  type SpanOptions,
  SpanStatusCode,
  TraceFlags,
  type Tracer,
  type TracerProvider,
  trace,
} from '@opentelemetry/api';
import {
  checkNumber,
  checkOptions,
  type OperationKind,
  operationKey,
  type ProbeSource,
  type ReadSite,
  type StoreError,
  type StoreEvent,
} from '../engine/index.ts';
import { attributesOf, isEndOfOperation } from './span-attributes.ts';
import { SpanBudget } from './span-budget.ts';
import {
  SPAN_KINDS,
  SPAN_NAMES,
  type SpanCounting,
  type SpanCounts,
  type SpanDisposition,
  type SpanKind,
} from './span-counts.ts';

export type { SpanCounting, SpanCounts, SpanDisposition, SpanKind } from './span-counts.ts';

export interface OtelProbeOptions {
  /**
   * - `off`: no spans.
   * - `parent`: only inside a sampled span of the caller.
   * - `ratio`: this fraction of operations, each with all its parts.
   * - `all`: every operation, pread and checksum, in recovery and compaction too.
   *
   * The SDK's own sampler has the last word in each.
   */
  readonly mode: 'off' | 'parent' | 'ratio' | 'all';
  /** The share of operations, from 0 to 1; with `ratio` only. */
  readonly ratio?: number;
  /**
   * The most spans per second, with `all` only. Operations beyond it are counted instead. Default:
   * no limit.
   */
  readonly budgetPerSecond?: number;
  /** Default: the global one. */
  readonly tracerProvider?: TracerProvider;
}

const INSTRUMENTATION = 'tidemark';

/** The key of no operation. */
const NO_KEY = -1;

/** Links from a sync to the writes that it made durable, at most. */
const MAX_LINKS = 32;

/** How often a sampler is asked for a sync that a recorded caller waits for. */
const MOST_ASKED = 64;

/** A running operation that is recorded, or one whose parts are counted as over the budget. */
type Running = Recorded | 'budget';

interface Recorded {
  readonly span: Span;
  readonly context: Context;
}

interface SpanHead {
  readonly name: string;
  readonly options: OperationOptions;
}

/**
 * Options of a span that starts now. The SDK asks for the time only when it records, and INTERNAL
 * is its default kind.
 */
class OperationOptions implements SpanOptions {
  readonly attributes: Attributes;
  readonly links: Link[];

  constructor(attributes: Attributes, links: Link[] = []) {
    this.attributes = attributes;
    this.links = links;
  }

  get startTime(): HrTime {
    return hrTime(performance.now() * 1e6);
  }
}

/**
 * Spans by OpenTelemetry's database conventions: one an operation, and under it one a pread and one
 * a checksum, with the times that the engine took. Keys and values never stand in a span. Every
 * span that could have been emitted is counted, with what became of it, in `spanCounts`.
 */
export function otelProbe(options: OtelProbeOptions): SpanCounting {
  return new OtelProbe(options);
}

class OtelProbe implements SpanCounting {
  readonly spanCounts: SpanCounts;
  private readonly counts: Record<SpanKind, Record<SpanDisposition, number>>;
  private readonly mode: OtelProbeOptions['mode'];
  private readonly ratio: number;
  private readonly budget: SpanBudget | undefined;
  /** The global one of the API, behind which an SDK may be installed at any time. */
  private readonly proxy: ProxyTracerProvider | undefined;
  private readonly tracer: Tracer;
  private readonly heads = new Map<OperationKind, SpanHead>();
  private latestKey = NO_KEY;
  /** The one that ended last: another probe may ask for its ids behind this one. */
  private endedKey = NO_KEY;
  private ended: Span | undefined;
  private latest: Running | undefined;
  private readonly others = new Map<number, Running>();
  /** The writes since the last sync, the latest ones. */
  private unsynced: Link[] = [];
  /** Callers who wait for the next sync. */
  private waits: Recorded[] = [];
  /** The latest sync that was asked of the SDK, recorded or not. */
  private latestSync: SpanContext | undefined;
  private storeName = '';

  constructor(options: OtelProbeOptions) {
    const { mode, ratio, budgetPerSecond, tracerProvider } = checkOptions(options, 'otelProbe', [
      'mode',
      'ratio',
      'budgetPerSecond',
      'tracerProvider',
    ]);
    if (!['off', 'parent', 'ratio', 'all'].includes(mode)) {
      throw new RangeError(
        `mode must be 'off', 'parent', 'ratio' or 'all', not ${JSON.stringify(mode)}`,
      );
    }
    if ((mode === 'ratio') !== (ratio !== undefined))
      throw new TypeError("ratio goes with mode 'ratio'");
    if (ratio !== undefined) checkNumber('ratio', ratio, 0, 1);
    if (budgetPerSecond !== undefined)
      checkNumber('budgetPerSecond', budgetPerSecond, 0, Number.MAX_SAFE_INTEGER);
    if (budgetPerSecond !== undefined && mode !== 'all')
      throw new TypeError("budgetPerSecond goes with mode 'all'");
    this.mode = mode;
    this.ratio = ratio ?? 1;
    this.budget = budgetPerSecond === undefined ? undefined : new SpanBudget(budgetPerSecond);
    const provider = tracerProvider ?? trace.getTracerProvider();
    this.proxy = provider instanceof ProxyTracerProvider ? provider : undefined;
    this.tracer = provider.getTracer(INSTRUMENTATION);
    const none = () => ({ emitted: 0, unsampled: 0, budget: 0 });
    this.counts = Object.fromEntries(
      SPAN_KINDS.map((kind) => [kind, none()]),
    ) as typeof this.counts;
    this.spanCounts = this.counts;
  }

  attach(source: ProbeSource): void {
    this.storeName = source.name;
    this.heads.clear();
  }

  began(operation: number, kind: OperationKind): boolean {
    if (kind === 'sync') return this.beganSync(operation);
    const parent = kind === 'seal' ? this.rootFor() : this.parentFor();
    if (parent === undefined) {
      this.counts.operation.unsampled++;
      return false;
    }
    if (this.isBeyondBudget(operation)) return false;
    const { name, options } = this.headOf(kind);
    const span = this.tracer.startSpan(name, options, parent);
    if (!span.isRecording()) {
      this.counts.operation.unsampled++;
      return false;
    }
    const recorded = { span, context: new SpanContextView(parent, span) };
    this.remember(operation, recorded);
    if (kind === 'durableWait') this.waits.push(recorded);
    return true;
  }

  /** Counts an operation that the budget has no room for, and remembers it for its parts. */
  private isBeyondBudget(operation: number): boolean {
    if (this.budget === undefined || this.budget.hasRoom()) return false;
    this.counts.operation.budget++;
    this.remember(operation, 'budget');
    return true;
  }

  /**
   * A sync serves many callers, so it is a trace of its own, and each of those that is recorded is
   * linked to it. It is wanted where one of them is: a sampler that goes by the trace's id, which
   * is random, is asked again.
   */
  private beganSync(operation: number): boolean {
    const waits = this.waits;
    this.waits = [];
    const links = this.takeLinks();
    if (waits.length === 0 && this.rootFor() === undefined) {
      this.counts.operation.unsampled++;
      return false;
    }
    if (this.isBeyondBudget(operation)) return false;
    const { name, options } = this.headOf('sync');
    const linked = new OperationOptions(options.attributes, links);
    let span = this.tracer.startSpan(name, linked, ROOT_CONTEXT);
    for (let asked = 1; !span.isRecording() && waits.length > 0 && asked < MOST_ASKED; asked++)
      span = this.tracer.startSpan(name, linked, ROOT_CONTEXT);
    this.latestSync = span.spanContext();
    for (const wait of waits) wait.span.addLink({ context: this.latestSync });
    if (!span.isRecording()) {
      this.counts.operation.unsampled++;
      return false;
    }
    this.remember(operation, { span, context: new SpanContextView(ROOT_CONTEXT, span) });
    return true;
  }

  got(
    operation: number,
    hit: boolean,
    startNs: number,
    durationNs: number,
    error: StoreError | undefined,
  ): void {
    this.end(operation, startNs + durationNs, error, { 'tidemark.hit': hit });
  }

  appended(
    operation: number,
    _kind: 'put' | 'delete' | 'append',
    frameBytes: number,
    _userBytes: number,
    startNs: number,
    durationNs: number,
    error: StoreError | undefined,
  ): void {
    this.linkToSync(operation);
    this.end(operation, startNs + durationNs, error, { 'tidemark.frame_bytes': frameBytes });
  }

  event(event: StoreEvent): void {
    if (event.kind === 'segmentScanned') {
      const span = this.startPart('segment', event.operation, event.startNs);
      if (span === undefined) return;
      span.setAttribute('tidemark.segment', event.segmentId);
      span.setAttribute('tidemark.bytes', event.sizeBytes);
      span.end(hrTime(event.startNs + event.durationNs));
    } else if (isEndOfOperation(event)) {
      const { kind, operation, startNs, durationNs, error } = event;
      if (kind === 'batch') this.linkToSync(operation);
      if (kind === 'durableWait') this.waited(operation);
      this.end(operation, startNs + durationNs, error, attributesOf(event));
    }
  }

  read(
    operation: number,
    _site: ReadSite,
    segmentId: number,
    offset: number,
    sizeBytes: number,
    startNs: number,
    durationNs: number,
    error: StoreError | undefined,
  ): void {
    const span = this.startPart('pread', operation, startNs);
    if (span === undefined) return;
    span.setAttribute('tidemark.segment', segmentId);
    span.setAttribute('tidemark.offset', offset);
    span.setAttribute('tidemark.bytes', sizeBytes);
    if (error !== undefined) fail(span, error.code);
    span.end(hrTime(startNs + durationNs));
  }

  crcValidated(
    operation: number,
    _site: ReadSite,
    ok: boolean,
    sizeBytes: number,
    startNs: number,
    durationNs: number,
  ): void {
    const span = this.startPart('crc_validate', operation, startNs);
    if (span === undefined) return;
    span.setAttribute('tidemark.outcome', ok ? 'ok' : 'mismatch');
    span.setAttribute('tidemark.bytes', sizeBytes);
    if (!ok) fail(span, 'CRC_MISMATCH');
    span.end(hrTime(startNs + durationNs));
  }

  /** Where no sync came for it, all was durable already, by the latest one. */
  private waited(operation: number): void {
    const index = this.waits.indexOf(this.find(operationKey(operation)) as Recorded);
    if (index === -1) return;
    const [wait] = this.waits.splice(index, 1);
    if (this.latestSync !== undefined) wait?.span.addLink({ context: this.latestSync });
  }

  /** The context of an operation that nobody's request began; undefined for no span. */
  private rootFor(): Context | undefined {
    if (this.mode === 'parent' || !this.isWanted()) return undefined;
    return ROOT_CONTEXT;
  }

  private isWanted(): boolean {
    if (this.mode === 'off') return false;
    if (this.mode === 'ratio' && Math.random() >= this.ratio) return false;
    // With no SDK installed nothing can be recorded, and asking costs more than this.
    return this.proxy?.getDelegate() !== NO_SDK;
  }

  /**
   * The context that a new operation's span has its parent in; undefined when there is to be none.
   */
  private parentFor(): Context | undefined {
    if (!this.isWanted()) return undefined;
    const active = context.active();
    if (this.mode !== 'parent') return active;
    const flags = trace.getSpanContext(active)?.traceFlags ?? TraceFlags.NONE;
    return (flags & TraceFlags.SAMPLED) === 0 ? undefined : active;
  }

  /** What the spans of a kind of operation begin with, made once: it is the same each time. */
  private headOf(kind: OperationKind): SpanHead {
    let head = this.heads.get(kind);
    if (head === undefined) {
      const attributes = {
        'db.system.name': 'tidemark',
        'db.operation.name': kind,
        'db.namespace': this.storeName,
      };
      head = { name: `${kind} ${this.storeName}`, options: new OperationOptions(attributes) };
      this.heads.set(kind, head);
    }
    return head;
  }

  /**
   * Nearly always the latest operation is the only one: asynchronous ones beside it are kept in a
   * map.
   */
  private remember(key: number, running: Running): void {
    if (this.latestKey !== NO_KEY) this.others.set(this.latestKey, this.latest as Running);
    this.latestKey = key;
    this.latest = running;
  }

  traceOf(operation: number): SpanContext | undefined {
    const key = operationKey(operation);
    const running = this.find(key);
    const span =
      key === this.endedKey ? this.ended : running === 'budget' ? undefined : running?.span;
    const ids = span?.spanContext();
    // A span may be recorded and not be kept.
    return ids !== undefined && (ids.traceFlags & TraceFlags.SAMPLED) !== 0 ? ids : undefined;
  }

  private find(key: number): Running | undefined {
    if (key === this.latestKey) return this.latest;
    return this.others.size === 0 ? undefined : this.others.get(key);
  }

  /**
   * A span for a part of a recorded operation; where there is none, the part is counted as
   * suppressed. Its attributes are set when it is recorded: given to `startSpan`, the SDK copies
   * them twice more.
   */
  private startPart(
    kind: keyof typeof SPAN_NAMES,
    operation: number,
    startNs: number,
  ): Span | undefined {
    const counts = this.counts[kind];
    const running = this.find(operationKey(operation));
    if (running === undefined) {
      counts.unsampled++;
      return undefined;
    }
    if (running === 'budget') {
      counts.budget++;
      return undefined;
    }
    const span = this.tracer.startSpan(
      SPAN_NAMES[kind],
      { startTime: hrTime(startNs) },
      running.context,
    );
    this.budget?.take();
    // A sampler may refuse a child of a sampled parent.
    if (span.isRecording()) counts.emitted++;
    else counts.unsampled++;
    return span;
  }

  /** The next sync makes this write durable, and is linked to it. */
  private linkToSync(operation: number): void {
    const running = this.find(operationKey(operation));
    if (running === undefined || running === 'budget') return;
    if (this.unsynced.length === MAX_LINKS) this.unsynced.shift();
    this.unsynced.push({ context: running.span.spanContext() });
  }

  private end(
    operation: number,
    endNs: number,
    error: StoreError | undefined,
    attributes: Attributes,
  ): void {
    const key = operationKey(operation);
    const running = this.find(key);
    if (running === undefined) return;
    if (key === this.latestKey) this.latestKey = NO_KEY;
    else this.others.delete(key);
    if (running === 'budget') return;
    this.counts.operation.emitted++;
    this.budget?.take();
    this.endedKey = key;
    this.ended = running.span;
    for (const name in attributes)
      running.span.setAttribute(name, attributes[name] as AttributeValue);
    if (error !== undefined) fail(running.span, error.code ?? error.name);
    running.span.end(hrTime(endNs));
  }

  private takeLinks(): Link[] {
    const links = this.unsynced;
    this.unsynced = [];
    return links;
  }
}

/** The key under which a context holds its span, learned from the API by letting it look. */
const SPAN_KEY = ((): symbol => {
  let seen: symbol | undefined;
  const observer: Context = {
    getValue: (key) => {
      seen = key;
      return undefined;
    },
    setValue: () => observer,
    deleteValue: () => observer,
  };
  trace.getSpan(observer);
  return seen as symbol;
})();

/** `trace.setSpan(parent, span)` without the copy of the whole context that it makes. */
class SpanContextView implements Context {
  private readonly parent: Context;
  private readonly span: Span;

  constructor(parent: Context, span: Span) {
    this.parent = parent;
    this.span = span;
  }

  getValue(key: symbol): unknown {
    return key === SPAN_KEY ? this.span : this.parent.getValue(key);
  }

  setValue(key: symbol, value: unknown): Context {
    return trace.setSpan(this.parent, this.span).setValue(key, value);
  }

  deleteValue(key: symbol): Context {
    return trace.setSpan(this.parent, this.span).deleteValue(key);
  }
}

/** What stands behind the global provider until an SDK is installed. */
const NO_SDK = new ProxyTracerProvider().getDelegate();

function fail(span: Span, errorType: string): void {
  span.setAttribute('error.type', errorType);
  span.setStatus({ code: SpanStatusCode.ERROR });
}

const ORIGIN_SECONDS = Math.floor(performance.timeOrigin / 1000);
const ORIGIN_NS = (performance.timeOrigin % 1000) * 1e6;

/** Nanoseconds of the monotonic clock as seconds and nanoseconds since 1970. */
function hrTime(ns: number): HrTime {
  const total = ORIGIN_NS + ns;
  const seconds = Math.floor(total / 1e9);
  return [ORIGIN_SECONDS + seconds, Math.floor(total - seconds * 1e9)];
}
