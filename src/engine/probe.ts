import type { StoreError } from './errors.ts';

/** Why a frame is being read. */
export type ReadSite = 'get' | 'scan' | 'compact' | 'verify';

/**
 * The narrow interface through which the engine reports what it did. Every method is called after the
 * fact, with flat arguments, so that an adapter need not allocate and the engine need not wait. All
 * times are in nanoseconds of the monotonic clock (`performance.now() * 1e6`); the clock is read only
 * while a probe is set.
 *
 * A probe that throws never breaks a read or a write: the engine counts it (`stats().probeErrors`).
 */
export interface Probe {
  got?(hit: boolean, startNs: number, durationNs: number): void;
  appended?(type: number, frameBytes: number, userBytes: number, startNs: number, durationNs: number): void;
  pread?(
    site: ReadSite,
    segmentId: number,
    offset: number,
    sizeBytes: number,
    startNs: number,
    durationNs: number,
  ): void;
  crcValidated?(site: ReadSite, ok: boolean, sizeBytes: number, startNs: number, durationNs: number): void;
  synced?(waiters: number, sizeBytes: number, startNs: number, durationNs: number): void;
  /** A write that had to wait for a sync before it could go on. */
  writeStalled?(reason: 'rotation' | 'unsynced-records', startNs: number, durationNs: number): void;
  rotated?(sealedSegmentId: number, newSegmentId: number): void;
  recovered?(outcome: string, truncatedBytes: number, startNs: number, durationNs: number): void;
  compacted?(inputBytes: number, outputBytes: number, startNs: number, durationNs: number): void;
  descriptorPool?(event: 'hit' | 'miss' | 'eviction'): void;
  corrupted?(error: StoreError): void;
  leaseLost?(fatal: boolean): void;
  poisoned?(error: StoreError): void;
}

type ProbeMethod = keyof Probe;
type ProbeArguments<M extends ProbeMethod> = Parameters<NonNullable<Probe[M]>>;

/**
 * Several probes as one that cannot throw. Each method exists only when some probe has it, so that the
 * engine can tell by its absence that a clock need not be read.
 */
export class GuardedProbe implements Probe {
  errors = 0;
  declare readonly got?: NonNullable<Probe['got']>;
  declare readonly appended?: NonNullable<Probe['appended']>;
  declare readonly pread?: NonNullable<Probe['pread']>;
  declare readonly crcValidated?: NonNullable<Probe['crcValidated']>;
  declare readonly synced?: NonNullable<Probe['synced']>;
  declare readonly writeStalled?: NonNullable<Probe['writeStalled']>;
  declare readonly rotated?: NonNullable<Probe['rotated']>;
  declare readonly recovered?: NonNullable<Probe['recovered']>;
  declare readonly compacted?: NonNullable<Probe['compacted']>;
  declare readonly descriptorPool?: NonNullable<Probe['descriptorPool']>;
  declare readonly corrupted?: NonNullable<Probe['corrupted']>;
  declare readonly leaseLost?: NonNullable<Probe['leaseLost']>;
  declare readonly poisoned?: NonNullable<Probe['poisoned']>;

  constructor(probes: readonly Probe[]) {
    for (const method of METHODS) this.guard(method, probes);
  }

  private guard<M extends ProbeMethod>(method: M, probes: readonly Probe[]): void {
    const listeners = probes.filter((probe) => typeof probe[method] === 'function');
    if (listeners.length === 0) return;
    const call = (...values: ProbeArguments<M>): void => {
      for (const listener of listeners) {
        try {
          (listener[method] as (...values: ProbeArguments<M>) => void)(...values);
        } catch {
          this.errors++;
        }
      }
    };
    Object.defineProperty(this, method, { value: call, enumerable: true });
  }
}

const METHODS: readonly ProbeMethod[] = [
  'got',
  'appended',
  'pread',
  'crcValidated',
  'synced',
  'writeStalled',
  'rotated',
  'recovered',
  'compacted',
  'descriptorPool',
  'corrupted',
  'leaseLost',
  'poisoned',
];

export function nowNs(): number {
  return performance.now() * 1e6;
}
