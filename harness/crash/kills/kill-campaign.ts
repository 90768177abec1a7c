import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { mix32, Prng } from '../../prng.ts';
import { adapterSubject } from './kill-adapter.ts';
import { describeKillScript, shrinkFinding } from './kill-finding.ts';
import type { KillPlan } from './kill-plan.ts';
import { runScript } from './kill-replay.ts';
import { formatScript, type ScriptedRound } from './kill-script.ts';
import { type Kill, KillFailure, killStore } from './kill-store.ts';
import type { KillSubject } from './kill-subject.ts';
import { tidemarkSubject } from './kill-tidemark.ts';

export interface KillOptions {
  /** Where the stores lie while they are killed; those with findings stay there. */
  readonly directory: string;
  /** Kills, at least one, after which it ends; or it ends after so many seconds. */
  readonly kills?: number;
  readonly seconds?: number;
  /** An integer from 0 to 2^32 - 1. */
  readonly seed: number;
  /** Stores at a time. Default 2. */
  readonly parallel?: number;
  /** Another store than tidemark; see `loadAdapter`. */
  readonly adapter?: string;
  /** Ends it soon. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (report: KillReport) => void;
}

export interface KillReport {
  readonly seed: number;
  readonly adapter: string;
  readonly kills: number;
  readonly durationMs: number;
  readonly killsPerMinute: number;
  /** Kills by how they were done: `time`, `line`, `recovery fdatasync` and so on. */
  readonly killsByKind: Readonly<Record<string, number>>;
  /** Kills that came before the process had opened the store. */
  readonly killsWhileOpening: number;
  /** Kills that left a merge half done. */
  readonly killsInMerges: number;
  readonly reopensChecked: number;
  readonly operationsAcknowledged: number;
  /** The longest that an opening after a kill took, its recovery included. */
  readonly slowestOpenMs: number;
  readonly findings: readonly KillFinding[];
}

export interface KillFinding {
  /** The name of an invariant; see promises/invariants.ts. */
  readonly invariant: string;
  readonly message: string;
  readonly store: number;
  readonly round: number;
  readonly plan: KillPlan;
  /** The directory as the failed check left it. */
  readonly directory: string;
  readonly reproduce: string;
  /** What is left of it after shrinking, in words. */
  readonly details: readonly string[];
}

/** More would only say the same, and shrinking takes its time. */
const MOST_FINDINGS = 3;
/** How often a finding that depends on time is tried again. */
const ATTEMPTS_AS_IT_WAS = 3;
/** So that no log grows long, and everything is found soon. */
const KILLS_PER_STORE = 16;

/** Kills stores until the time or the number is up, several at a time. Throws `AdapterError`. */
export async function runKills(options: KillOptions): Promise<KillReport> {
  const campaign = new Campaign(options, await subjectOf(options));
  await campaign.run();
  return campaign.report();
}

class Campaign {
  private readonly options: KillOptions;
  private readonly subject: KillSubject;
  private readonly startMs = performance.now();
  private readonly killsByKind: Record<string, number> = {};
  private readonly findings: KillFinding[] = [];
  private nextStore = 0;
  private started = 0;
  private kills = 0;
  private killsWhileOpening = 0;
  private killsInMerges = 0;
  private operations = 0;
  private slowestOpenMs = 0;

  constructor(options: KillOptions, subject: KillSubject) {
    this.options = options;
    this.subject = subject;
  }

  async run(): Promise<void> {
    mkdirSync(this.options.directory, { recursive: true });
    const lanes = Array.from({ length: this.options.parallel ?? 2 }, async () => {
      while (!this.isOver()) await this.runStore(this.nextStore++);
    });
    await Promise.all(lanes);
  }

  report(): KillReport {
    const durationMs = performance.now() - this.startMs;
    return {
      seed: this.options.seed,
      adapter: this.options.adapter ?? 'tidemark',
      kills: this.kills,
      durationMs,
      killsPerMinute: (this.kills * 60_000) / durationMs,
      killsByKind: this.killsByKind,
      killsWhileOpening: this.killsWhileOpening,
      killsInMerges: this.killsInMerges,
      reopensChecked: this.kills,
      operationsAcknowledged: this.operations,
      slowestOpenMs: this.slowestOpenMs,
      findings: this.findings,
    };
  }

  private isOver(): boolean {
    const {
      kills = Number.POSITIVE_INFINITY,
      seconds = Number.POSITIVE_INFINITY,
      signal,
    } = this.options;
    if (signal?.aborted || this.findings.length >= MOST_FINDINGS) return true;
    return this.started >= kills || performance.now() - this.startMs >= seconds * 1000;
  }

  private async runStore(store: number): Promise<void> {
    const directory = join(this.options.directory, `store-${store}`);
    rmSync(directory, { recursive: true, force: true });
    const storeSeed = seedOf(this.options.seed, store);
    const script: ScriptedRound[] = [];
    const prng = Prng.seeded(storeSeed);
    const kills = killStore(this.subject, directory, storeSeed, prng, KILLS_PER_STORE, script);
    try {
      this.started++;
      for await (const kill of kills) {
        this.count(kill);
        if (this.isOver()) break;
        this.started++;
      }
      rmSync(directory, { recursive: true, force: true });
    } catch (error) {
      if (!(error instanceof KillFailure)) throw error;
      // Counted at once, so that the other stores end while this one is made smaller.
      const index = this.findings.push(this.findingOf(error, store, directory)) - 1;
      this.findings[index] = await this.shrunk(
        this.findings[index] as KillFinding,
        script,
        storeSeed,
      );
    }
  }

  private count({ plan, run, openMs, inMerge }: Kill): void {
    const kind = run.diedIn === undefined ? plan.kind : `${plan.kind} ${run.diedIn}`;
    this.killsByKind[kind] = (this.killsByKind[kind] ?? 0) + 1;
    this.kills++;
    if (!run.opened) this.killsWhileOpening++;
    if (inMerge) this.killsInMerges++;
    this.operations += run.acknowledgements.length;
    this.slowestOpenMs = Math.max(this.slowestOpenMs, openMs);
    this.options.onProgress?.(this.report());
  }

  private findingOf(failure: KillFailure, store: number, directory: string): KillFinding {
    const { invariant, message, round, plan } = failure;
    const reproduce = `${this.command(this.options.seed)} --store ${store}`;
    return { invariant, message, store, round, plan, directory, reproduce, details: [] };
  }

  private async shrunk(
    finding: KillFinding,
    script: readonly ScriptedRound[],
    storeSeed: number,
  ): Promise<KillFinding> {
    const { subject } = this;
    const smaller = await shrinkFinding(subject, finding, storeSeed, script, this.options.signal);
    if (smaller === undefined) {
      const again = await this.countFailures(finding, storeSeed);
      const told = `The death came from outside, and no death at an exact point fails. As it was, it failed in ${again} of ${ATTEMPTS_AS_IT_WAS} more attempts.`;
      return { ...finding, details: [told] };
    }
    return {
      ...finding,
      message: smaller.message,
      reproduce: `${this.command(storeSeed)} --script '${formatScript(smaller.script)}'`,
      details: describeKillScript(subject, storeSeed, smaller.script),
    };
  }

  /** A death at a random time comes a little earlier or later each time. */
  private async countFailures(
    { invariant, directory }: KillFinding,
    storeSeed: number,
  ): Promise<number> {
    const place = `${directory}-again`;
    let failures = 0;
    for (
      let attempt = 0;
      attempt < ATTEMPTS_AS_IT_WAS && !this.options.signal?.aborted;
      attempt++
    ) {
      rmSync(place, { recursive: true, force: true });
      const kills = killStore(
        this.subject,
        place,
        storeSeed,
        Prng.seeded(storeSeed),
        KILLS_PER_STORE,
      );
      try {
        while (!(await kills.next()).done);
      } catch (error) {
        if (!(error instanceof KillFailure)) throw error;
        if (error.invariant === invariant) failures++;
      }
    }
    rmSync(place, { recursive: true, force: true });
    return failures;
  }

  private command(seed: number): string {
    const { adapter } = this.options;
    const other = adapter === undefined ? '' : ` --adapter ${adapter}`;
    return `node dist/harness/crash/kills/kill-reproduce.js${other} --seed ${seed}`;
  }
}

/**
 * The kills of one store of a campaign again, for `kill-reproduce`, or exactly those of a script.
 * What depends on time may come otherwise. Throws `KillFailure`.
 */
export async function repeatStore(
  options: Pick<KillOptions, 'directory' | 'seed' | 'adapter'>,
  what: number | readonly ScriptedRound[],
): Promise<void> {
  const { directory, seed } = options;
  const subject = await subjectOf(options);
  if (typeof what !== 'number') return runScript(subject, directory, seed, what);
  const storeSeed = seedOf(seed, what);
  const kills = killStore(subject, directory, storeSeed, Prng.seeded(storeSeed), KILLS_PER_STORE);
  while (!(await kills.next()).done);
}

function seedOf(seed: number, store: number): number {
  return mix32((seed + mix32(store)) >>> 0);
}

async function subjectOf({ adapter }: Pick<KillOptions, 'adapter'>): Promise<KillSubject> {
  return adapter === undefined ? tidemarkSubject() : adapterSubject(adapter);
}
