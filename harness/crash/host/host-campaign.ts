import { mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { mix32, Prng } from '../../prng.ts';
import { invariantOf } from '../promises/invariants.ts';
import { HOST_SCENARIOS, type HostCounts, type HostScenario } from './host-scenarios.ts';
import { HostWriter, noNamespaces } from './host-writer.ts';

export interface HostOptions {
  /** Where the stores lie; those with findings stay there. */
  readonly directory: string;
  /** An integer from 0 to 2^32 - 1. */
  readonly seed: number;
  /** Nothing more is begun after so many seconds, once every scenario has run. */
  readonly seconds: number;
  /**
   * Leave out what waits for real seconds, and run each scenario with the kernel lock or without
   * it, as the seed decides, not with both.
   */
  readonly isQuick?: boolean;
  /** Scenarios at a time. Default 2. */
  readonly parallel?: number;
  /** Only this one, by its number. */
  readonly only?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (report: HostReport) => void;
}

export interface HostReport extends HostCounts {
  readonly seed: number;
  readonly scenarios: number;
  readonly scenariosByName: Readonly<Record<string, number>>;
  /** Those of the list that could not run here, each with its reason. */
  readonly skipped: Readonly<Record<string, string>>;
  /** Those that could run here, and did not. */
  readonly missing: readonly string[];
  readonly writesAcknowledged: number;
  readonly durationMs: number;
  readonly findings: readonly HostFinding[];
}

export interface HostFinding {
  readonly invariant: string;
  readonly message: string;
  readonly scenario: string;
  readonly kernelLocks: boolean;
  /** Its number in this campaign. */
  readonly number: number;
  /** The directory as it was left. */
  readonly directory: string;
  readonly reproduce: string;
}

const MOST_FINDINGS = 5;

/** One scenario with or without kernel locks. */
interface Planned {
  readonly name: string;
  readonly scenario: HostScenario;
  readonly kernelLocks: boolean;
}

/**
 * Does to live stores what a host does: names lead elsewhere, lock files go, holders are killed and
 * stopped. Each scenario runs with the kernel lock and without it, where both make sense.
 */
export async function runHost(options: HostOptions): Promise<HostReport> {
  return new HostCampaign(options).run();
}

class HostCampaign {
  private readonly options: HostOptions;
  private readonly startMs = performance.now();
  private readonly planned: readonly Planned[];
  private readonly skipped: Record<string, string> = {};
  private readonly scenariosByName: Record<string, number> = {};
  private readonly findings: HostFinding[] = [];
  private readonly counts: HostCounts = {
    copies: { refused: 0, reported: 0, whole: 0 },
    takeovers: 0,
    slowestTakeoverMs: 0,
    refusals: 0,
  };
  private writesAcknowledged = 0;
  private begun = 0;

  constructor(options: HostOptions) {
    this.options = options;
    const why = noNamespaces();
    const planned: Planned[] = [];
    for (const [index, scenario] of HOST_SCENARIOS.entries())
      for (const kernelLocks of [true, false]) {
        if ((scenario.kernelLocks ?? kernelLocks) !== kernelLocks) continue;
        const chosen = mix32((options.seed + index) >>> 0) % 2 === 0;
        if (options.isQuick && scenario.kernelLocks === undefined && chosen !== kernelLocks)
          continue;
        const name = `${scenario.name}${kernelLocks ? '' : ' (no kernel lock)'}`;
        if (scenario.needsNamespaces && why !== undefined) this.skipped[name] = why;
        else if (scenario.isSlow && options.isQuick) this.skipped[name] = 'waits for 12 s';
        else planned.push({ name, scenario, kernelLocks });
      }
    // The slow ones first, beside the others.
    this.planned = planned.sort((a, b) => Number(b.scenario.isSlow) - Number(a.scenario.isSlow));
  }

  async run(): Promise<HostReport> {
    mkdirSync(this.options.directory, { recursive: true });
    const { parallel = 2 } = this.options;
    await Promise.all(Array.from({ length: parallel }, () => this.work()));
    return this.report();
  }

  private async work(): Promise<void> {
    for (let number = this.next(); number !== undefined; number = this.next()) {
      await this.stage(number);
      this.options.onProgress?.(this.report());
    }
  }

  private next(): number | undefined {
    const { signal, seconds, only } = this.options;
    if (signal?.aborted || this.findings.length >= MOST_FINDINGS) return undefined;
    if (only !== undefined) return this.begun++ === 0 ? only : undefined;
    const isUp = performance.now() - this.startMs > seconds * 1000;
    return isUp && this.begun >= this.planned.length ? undefined : this.begun++;
  }

  private async stage(number: number): Promise<void> {
    const { seed, directory } = this.options;
    const { name, scenario, kernelLocks } = this.plannedAt(number);
    const root = join(directory, `scenario-${number}`);
    rmSync(root, { recursive: true, force: true });
    mkdirSync(root);
    const ownSeed = mix32((seed + number) >>> 0);
    const prng = Prng.seeded(ownSeed);
    const writers: HostWriter[] = [];
    const write = (at: string, where: 'here' | 'in a namespace' = 'here') => {
      const prefix = String(writers.length + 1);
      const setup = { directory: at, kernelLocks, seed: prng.nextUint32(), prefix };
      const writer = new HostWriter(setup, where === 'in a namespace');
      writers.push(writer);
      return writer;
    };
    try {
      await scenario.run({ root, prng, kernelLocks, write, counts: this.counts });
      this.scenariosByName[name] = (this.scenariosByName[name] ?? 0) + 1;
    } catch (error) {
      const kept = join(directory, `finding-${number}`);
      rmSync(kept, { recursive: true, force: true });
      await Promise.all(writers.map((writer) => writer.kill()));
      renameSync(root, kept);
      this.findings.push({
        invariant: invariantOf(error),
        message: `${error instanceof Error ? error.message : error}`,
        scenario: name,
        kernelLocks,
        number,
        directory: kept,
        reproduce: `node dist/harness/crash/host/host-reproduce.js --seed ${seed} --scenario ${number}`,
      });
    } finally {
      await Promise.all(writers.map((writer) => writer.kill()));
      for (const writer of writers) this.writesAcknowledged += writer.acknowledged;
      rmSync(root, { recursive: true, force: true });
    }
  }

  private plannedAt(number: number): Planned {
    const { length } = this.planned;
    // Beyond the first round, in which the slow ones have run, only those that are quick.
    const quick = this.planned.filter(({ scenario }) => !scenario.isSlow);
    const planned =
      number < length ? this.planned[number] : quick[(number - length) % quick.length];
    return planned as Planned;
  }

  private report(): HostReport {
    const { scenariosByName, skipped, findings, counts, writesAcknowledged } = this;
    const failed = findings.map(({ scenario }) => scenario);
    const missing = this.planned
      .map(({ name }) => name)
      .filter((name) => scenariosByName[name] === undefined && !failed.includes(name));
    return {
      ...counts,
      seed: this.options.seed,
      scenarios: Object.values(scenariosByName).reduce((sum, count) => sum + count, 0),
      scenariosByName: { ...scenariosByName },
      skipped,
      missing: this.options.only === undefined ? missing : [],
      writesAcknowledged,
      durationMs: performance.now() - this.startMs,
      findings: [...findings],
    };
  }
}
