import { createHash } from 'node:crypto';
import type { CampaignFile } from './campaign-schema.ts';

/**
 * One check of a campaign. It follows from the build, Node's major version, the part and its number
 * there: every process that runs it does the same and comes to the same digest.
 */
export interface UnitName {
  readonly part: string;
  /** Counted from 0 within its part. */
  readonly unit: number;
}

/** What a part of the harness plugs into campaigns with: it lists its units, and runs one. */
export interface UnitPart {
  readonly name: string;
  /** What it can find broken, by name, each in one clause. */
  readonly invariants: Readonly<Record<string, string>>;
  /** Names of its units, in order; a number where their number says everything. */
  list(campaign: CampaignSize): Promise<readonly string[] | number>;
  /** The least that so many units come to, by the names of their counts. */
  floors(units: number): Readonly<Record<string, number>>;
  run(unit: number, context: UnitContext): Promise<UnitResult>;
}

/** What decides which units there are. */
export type CampaignSize = Pick<CampaignFile, 'profile' | 'seed'> & {
  /** How many workloads, stores or disks, where a part has no end of its own. */
  readonly wanted: number;
};

export interface UnitContext {
  readonly campaign: CampaignFile;
  /** An empty directory of its own, removed afterwards. */
  readonly directory: string;
  /** Ends it soon. What it says then does not count. */
  readonly signal: AbortSignal;
}

export interface UnitResult {
  /** Why it cannot run on this machine; nothing else counts then. */
  readonly skipped?: string;
  /** What follows from the unit alone. Sums. */
  readonly counts: Readonly<Record<string, number>>;
  /**
   * What depends on the machine, too. Sums, but for names that begin with `slowest` or `most`,
   * which are maxima.
   */
  readonly measured?: Readonly<Record<string, number>>;
  /** Stands for everything that was seen: images, outcomes, verdicts. */
  readonly seen: string;
  readonly findings: readonly UnitFinding[];
}

export interface UnitFinding {
  readonly invariant: string;
  readonly message: string;
  /** The kinds of the steps that are left of it, in order. */
  readonly steps: readonly string[];
  /** Finds it again. */
  readonly command: string;
  readonly details: readonly string[];
  /** Writes what was found into a directory. */
  readonly keepStore?: (directory: string) => void;
}

/** Equal for two runs of a unit that saw the same. */
export function resultDigest({ skipped, counts, seen, findings }: UnitResult): string {
  // Their words may hold a path or a time.
  const broken = findings.map(({ invariant }) => invariant);
  const sorted = Object.entries(counts).sort(([a], [b]) => (a < b ? -1 : 1));
  return digestOf(JSON.stringify([skipped !== undefined, sorted, seen, broken]));
}

/** 128 bits of SHA-256, in hexadecimal digits. */
export function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 32);
}

/** Adds what one unit counted to what others did. */
export function addFigures(
  to: Record<string, number>,
  figures: Readonly<Record<string, number>>,
): void {
  for (const [name, value] of Object.entries(figures)) {
    const isMaximum = /^(?:slowest|most)/.test(name);
    to[name] = isMaximum ? Math.max(to[name] ?? 0, value) : (to[name] ?? 0) + value;
  }
}

/** Numbers of units as the command line takes them: `0-9,12`. */
export function formatUnits(units: readonly number[]): string {
  const sorted = [...units].sort((a, b) => a - b);
  const runs: [number, number][] = [];
  for (const unit of sorted) {
    const last = runs.at(-1);
    if (last !== undefined && unit === last[1] + 1) last[1] = unit;
    else runs.push([unit, unit]);
  }
  return runs.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join();
}
