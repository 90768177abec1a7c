import type { StoreError } from './errors.ts';
import {
  NOT_TIMED,
  nowNs,
  type OperationKind,
  type Probe,
  type ProbeSource,
  type ReadSite,
} from './probe.ts';

/** What a get consists of. */
type GetMethod = 'began' | 'got' | 'read' | 'crcValidated';
type ProbeMethod = Exclude<keyof Probe, 'attach' | 'detach' | GetMethod>;
type Listener<Method extends GetMethod> = Probe & Required<Pick<Probe, Method>>;
type Report = (
  a: unknown,
  b: unknown,
  c: unknown,
  d: unknown,
  e: unknown,
  f: unknown,
  g: unknown,
  h: unknown,
) => void;

/** Set in the number of an operation whose parts are timed. */
const TIMED = 1;

/**
 * The probes of one store as one that cannot throw. What a get is reported with is written out,
 * method by method: through a closure that all share, V8 sees every kind of call at one place and
 * inlines none. The other methods exist only when some probe has them.
 */
export class ProbeSet {
  errors = 0;
  declare readonly gotMany?: NonNullable<Probe['gotMany']>;
  declare readonly appended?: NonNullable<Probe['appended']>;
  declare readonly batched?: NonNullable<Probe['batched']>;
  declare readonly synced?: NonNullable<Probe['synced']>;
  declare readonly scanned?: NonNullable<Probe['scanned']>;
  declare readonly compacted?: NonNullable<Probe['compacted']>;
  declare readonly opened?: NonNullable<Probe['opened']>;
  declare readonly segmentScanned?: NonNullable<Probe['segmentScanned']>;
  declare readonly wrote?: NonNullable<Probe['wrote']>;
  declare readonly writeStalled?: NonNullable<Probe['writeStalled']>;
  declare readonly sealed?: NonNullable<Probe['sealed']>;
  declare readonly verified?: NonNullable<Probe['verified']>;
  declare readonly backedUp?: NonNullable<Probe['backedUp']>;
  declare readonly rotated?: NonNullable<Probe['rotated']>;
  declare readonly corrupted?: NonNullable<Probe['corrupted']>;
  declare readonly refused?: NonNullable<Probe['refused']>;
  declare readonly leaseLost?: NonNullable<Probe['leaseLost']>;
  declare readonly poisoned?: NonNullable<Probe['poisoned']>;

  private readonly probes: readonly Probe[];
  private readonly beginners: readonly Listener<'began'>[];
  private readonly getListeners: readonly Listener<'got'>[];
  private readonly readListeners: readonly Listener<'read'>[];
  private readonly crcListeners: readonly Listener<'crcValidated'>[];
  private operations = 0;

  private constructor(probes: readonly Probe[]) {
    this.probes = probes;
    this.beginners = listenersOf(probes, 'began');
    this.getListeners = listenersOf(probes, 'got');
    this.readListeners = listenersOf(probes, 'read');
    this.crcListeners = listenersOf(probes, 'crcValidated');
    for (const method of METHODS) this.guard(method);
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

  /** Throws what a probe throws, with none attached. */
  attach(source: Omit<ProbeSource, 'probes'>): void {
    for (const [index, probe] of this.probes.entries()) {
      try {
        probe.attach?.({ ...source, probes: this.probes });
      } catch (error) {
        for (const before of this.probes.slice(0, index)) this.call(() => before.detach?.());
        throw error;
      }
    }
  }

  detach(): void {
    for (const probe of this.probes) this.call(() => probe.detach?.());
  }

  /** The number of a new operation. */
  begin(kind: OperationKind): number {
    this.operations += 2;
    let operation = this.operations;
    for (const probe of this.beginners) {
      try {
        if (probe.began(this.operations, kind)) operation = this.operations + TIMED;
      } catch {
        this.errors++;
      }
    }
    return operation;
  }

  got(
    operation: number,
    hit: boolean,
    startNs: number,
    durationNs: number,
    error: StoreError | undefined,
  ): void {
    for (const probe of this.getListeners) {
      try {
        probe.got(operation, hit, startNs, durationNs, error);
      } catch {
        this.errors++;
      }
    }
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
    for (const probe of this.readListeners) {
      try {
        probe.read(operation, site, segmentId, offset, sizeBytes, startNs, durationNs, error);
      } catch {
        this.errors++;
      }
    }
  }

  crcValidated(
    operation: number,
    site: ReadSite,
    ok: boolean,
    sizeBytes: number,
    startNs: number,
    durationNs: number,
  ): void {
    for (const probe of this.crcListeners) {
      try {
        probe.crcValidated(operation, site, ok, sizeBytes, startNs, durationNs);
      } catch {
        this.errors++;
      }
    }
  }

  /**
   * Eight fixed parameters, as many as any method has: gathering the arguments in an array would
   * cost more than most listeners do.
   */
  private guard(method: ProbeMethod): void {
    const listeners = this.probes.filter((probe) => typeof probe[method] === 'function');
    const [only] = listeners;
    if (only === undefined) return;
    const report = only[method] as Report;
    const tell: Report =
      listeners.length === 1
        ? (a, b, c, d, e, f, g, h) => {
            try {
              report.call(only, a, b, c, d, e, f, g, h);
            } catch {
              this.errors++;
            }
          }
        : (a, b, c, d, e, f, g, h) => {
            for (const listener of listeners) {
              try {
                (listener[method] as Report)(a, b, c, d, e, f, g, h);
              } catch {
                this.errors++;
              }
            }
          };
    Object.defineProperty(this, method, { value: tell, enumerable: true });
  }

  private call(use: () => void): void {
    try {
      use();
    } catch {
      this.errors++;
    }
  }
}

function listenersOf<Method extends GetMethod>(
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

const METHODS: readonly ProbeMethod[] = [
  'gotMany',
  'appended',
  'batched',
  'synced',
  'scanned',
  'compacted',
  'opened',
  'segmentScanned',
  'wrote',
  'writeStalled',
  'sealed',
  'verified',
  'backedUp',
  'rotated',
  'corrupted',
  'refused',
  'leaseLost',
  'poisoned',
];
