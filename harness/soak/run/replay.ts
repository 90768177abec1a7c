import type { KeyedValues } from '../../keyed-values.ts';
import { printableKey } from '../../keyed-values.ts';
import type { Violation } from '../../store-check.ts';
import type { StoreUnderTest } from '../../store-under-test.ts';
import type { Workload } from '../../workload.ts';
import type { Acknowledged } from './acknowledgements.ts';
import type { Ledger } from './ledger.ts';

/**
 * How a key stood after a kill, when its last operations could not be told from the store's word.
 */
export interface Adoption {
  readonly keyNumber: number;
  /** 0 is absent. */
  readonly liveVersion: number;
}

/** A kill that the run has survived. */
export interface Survived {
  readonly acknowledged: Acknowledged;
  readonly survives: 'put' | 'sync';
  readonly adoptions: readonly Adoption[];
}

export interface ReplayOptions {
  readonly values: KeyedValues;
  readonly ledger: Ledger;
  readonly workload: Workload;
}

/**
 * Repeats on the ledger alone what killed processes did to the store: the operations are a function
 * of the seed. The first kills were settled by the process after each; what the last one left open
 * is settled by `Undecided`.
 */
export function replay(
  options: ReplayOptions,
  settled: readonly Survived[],
  last: Omit<Survived, 'adoptions'>,
): Undecided {
  const { ledger } = options;
  for (const { acknowledged, adoptions } of settled) {
    repeat(options, acknowledged.operations + 1);
    for (const { keyNumber, liveVersion } of adoptions) ledger.adopt(keyNumber, liveVersion);
  }
  const { acknowledged, survives } = last;
  const certain = survives === 'put' ? acknowledged.operations : acknowledged.syncedOperations;
  repeat(options, Math.max(certain, ledger.totals.operations));
  const undecided = new Undecided(options);
  repeat(options, acknowledged.operations + 1, undecided);
  Object.assign(ledger.totals, acknowledged.counts);
  return undecided;
}

function repeat({ ledger, workload }: ReplayOptions, upTo: number, undecided?: Undecided): void {
  while (ledger.totals.operations < upTo) {
    const operation = workload.next();
    if (operation === undefined) return;
    if (operation.kind !== 'read') undecided?.before(operation.keyNumber);
    ledger.enter(operation);
    if (operation.kind !== 'read') undecided?.after(operation.keyNumber);
  }
}

/** Keys of which a kill has left more than one right state. */
export class Undecided {
  private readonly options: ReplayOptions;
  private readonly acceptable = new Map<number, Set<number>>();

  constructor(options: ReplayOptions) {
    this.options = options;
  }

  before(keyNumber: number): void {
    if (!this.acceptable.has(keyNumber)) this.after(keyNumber);
  }

  after(keyNumber: number): void {
    const versions = this.acceptable.get(keyNumber) ?? new Set();
    versions.add(this.options.ledger.oracle.liveVersionOf(keyNumber));
    this.acceptable.set(keyNumber, versions);
  }

  /** Asks the store, and believes any of its right answers. */
  async settle(store: StoreUnderTest): Promise<{ adoptions: Adoption[]; violations: Violation[] }> {
    const { values, ledger } = this.options;
    const adoptions: Adoption[] = [];
    const violations: Violation[] = [];
    for (const [keyNumber, versions] of this.acceptable) {
      const key = values.keyOf(keyNumber);
      const found = await store.get(key);
      const liveVersion = [...versions].find((version) =>
        found === undefined
          ? version === 0
          : version > 0 && values.differenceFrom(keyNumber, version, found) === undefined,
      );
      if (liveVersion === undefined) {
        const names = [...versions].map((version) =>
          version === 0 ? 'absent' : values.nameOf(version),
        );
        violations.push({
          kind: found === undefined ? 'lost' : 'wrong',
          key: printableKey(key),
          detail: `holds none of what it may hold after the kill (${names.join(', ')})`,
        });
        continue;
      }
      ledger.adopt(keyNumber, liveVersion);
      adoptions.push({ keyNumber, liveVersion });
    }
    return { adoptions, violations };
  }
}
