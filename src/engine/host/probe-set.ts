import { StoreError } from './errors.ts';
import { NOT_TIMED, nowNs, type Probe, type ProbeSource, type ReadSite } from './probe.ts';
import type { OperationKind, StoreEvent } from './store-event.ts';

type ProbeMethod = Exclude<keyof Probe, 'attach' | 'detach'>;
type Listener<Method extends ProbeMethod> = Probe & Required<Pick<Probe, Method>>;

/** Set in the number of an operation whose parts are timed. */
const TIMED = 1;

/**
 * The probes of one store as one that cannot throw. What a get or a put is reported with is written
 * out, method by method: through a closure that all share, V8 sees every kind of call at one place
 * and inlines none.
 */
export class ProbeSet {
  errors = 0;
  /** Undefined where no probe listens: then no event need be made. */
  readonly event: ((event: StoreEvent) => void) | undefined;

  private readonly probes: readonly Probe[];
  private readonly beginners: readonly Listener<'began'>[];
  private readonly getListeners: readonly Listener<'got'>[];
  private readonly appendListeners: readonly Listener<'appended'>[];
  private readonly readListeners: readonly Listener<'read'>[];
  private readonly crcListeners: readonly Listener<'crcValidated'>[];
  private operations = 0;
  /** A probe is being told something right now, in the middle of an operation. */
  private isTelling = false;

  private constructor(probes: readonly Probe[]) {
    this.probes = probes;
    this.beginners = listenersOf(probes, 'began');
    this.getListeners = listenersOf(probes, 'got');
    this.appendListeners = listenersOf(probes, 'appended');
    this.readListeners = listenersOf(probes, 'read');
    this.crcListeners = listenersOf(probes, 'crcValidated');
    const listeners = listenersOf(probes, 'event');
    this.event = listeners.length === 0 ? undefined : (event) => this.tell(listeners, event);
  }

  /** Undefined for no probe at all, which is what makes an unobserved store free. */
  static of(probes: Probe | readonly Probe[] | undefined): ProbeSet | undefined {
    const list = probes === undefined ? [] : [probes].flat();
    for (const probe of list) {
      if (typeof probe !== 'object' || probe === null)
        throw new TypeError(`a probe must be an object, not ${probe}`);
    }
    return list.length === 0 ? undefined : new ProbeSet(list);
  }

  /**
   * Throws `REENTRANT` where a probe calls the store that it is being told of: the operation in
   * whose middle it stands has not finished its books.
   */
  checkNotTelling(): void {
    if (!this.isTelling) return;
    throw new StoreError(
      'REENTRANT',
      'a probe called the store while it was being told of an operation; nothing was changed. Call it later, by queueMicrotask for example',
    );
  }

  /** Throws what a probe throws, with none attached. */
  attach(source: Omit<ProbeSource, 'probes'>): void {
    for (const [index, probe] of this.probes.entries()) {
      try {
        probe.attach?.({ ...source, probes: this.probes });
      } catch (error) {
        for (const before of this.probes.slice(0, index)) this.detachOne(before);
        throw error;
      }
    }
  }

  detach(failure?: StoreError): void {
    for (const probe of this.probes) this.detachOne(probe, failure);
  }

  /** The number of a new operation. */
  begin(kind: OperationKind): number {
    this.operations += 2;
    let operation = this.operations;
    this.isTelling = true;
    for (const probe of this.beginners) {
      try {
        const asked: unknown = probe.began(this.operations, kind);
        if (typeof asked === 'object') this.heed(asked);
        else if (asked) operation = this.operations + TIMED;
      } catch {
        this.errors++;
      }
    }
    this.isTelling = false;
    return operation;
  }

  got(
    operation: number,
    hit: boolean,
    startNs: number,
    durationNs: number,
    error: StoreError | undefined,
  ): void {
    this.isTelling = true;
    for (const probe of this.getListeners) {
      try {
        const told: unknown = probe.got(operation, hit, startNs, durationNs, error);
        if (told !== undefined) this.heed(told);
      } catch {
        this.errors++;
      }
    }
    this.isTelling = false;
  }

  read(
    operation: number,
    site: ReadSite,
    segmentId: number,
    offset: number,
    sizeBytes: number,
    startNs: number,
    durationNs: number,
    error: StoreError | undefined,
  ): void {
    this.isTelling = true;
    for (const probe of this.readListeners) {
      try {
        const told: unknown = probe.read(
          operation,
          site,
          segmentId,
          offset,
          sizeBytes,
          startNs,
          durationNs,
          error,
        );
        if (told !== undefined) this.heed(told);
      } catch {
        this.errors++;
      }
    }
    this.isTelling = false;
  }

  crcValidated(
    operation: number,
    site: ReadSite,
    ok: boolean,
    sizeBytes: number,
    startNs: number,
    durationNs: number,
  ): void {
    this.isTelling = true;
    for (const probe of this.crcListeners) {
      try {
        const told: unknown = probe.crcValidated(
          operation,
          site,
          ok,
          sizeBytes,
          startNs,
          durationNs,
        );
        if (told !== undefined) this.heed(told);
      } catch {
        this.errors++;
      }
    }
    this.isTelling = false;
  }

  appended(
    operation: number,
    kind: 'put' | 'delete' | 'append',
    frameBytes: number,
    userBytes: number,
    startNs: number,
    durationNs: number,
    error: StoreError | undefined,
  ): void {
    this.isTelling = true;
    for (const probe of this.appendListeners) {
      try {
        const told: unknown = probe.appended(
          operation,
          kind,
          frameBytes,
          userBytes,
          startNs,
          durationNs,
          error,
        );
        if (told !== undefined) this.heed(told);
      } catch {
        this.errors++;
      }
    }
    this.isTelling = false;
  }

  private tell(listeners: readonly Listener<'event'>[], event: StoreEvent): void {
    const before = this.isTelling;
    this.isTelling = true;
    for (const probe of listeners) {
      try {
        const told: unknown = probe.event(event);
        if (told !== undefined) this.heed(told);
      } catch {
        this.errors++;
      }
    }
    this.isTelling = before;
  }

  private detachOne(probe: Probe, failure?: StoreError): void {
    try {
      this.heed(probe.detach?.(failure));
    } catch {
      this.errors++;
    }
  }

  /** A method that is an async function after all: what it rejects with is as if thrown at once. */
  private heed(returned: unknown): void {
    if (typeof (returned as PromiseLike<unknown> | null | undefined)?.then !== 'function') return;
    Promise.resolve(returned).catch(() => {
      this.errors++;
    });
  }
}

function listenersOf<Method extends ProbeMethod>(
  probes: readonly Probe[],
  method: Method,
): readonly Listener<Method>[] {
  return probes.filter(
    (probe): probe is Listener<Method> & Probe => typeof probe[method] === 'function',
  );
}

/** When a part of an operation began, or 0 when it is not to be timed. */
export function partStart(operation: number): number {
  return (operation & TIMED) === 0 ? 0 : nowNs();
}

export function partDuration(operation: number, startNs: number): number {
  return (operation & TIMED) === 0 ? NOT_TIMED : nowNs() - startNs;
}
