import { type ChildProcess, type SpawnOptions, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { compiledProgram } from '../../package-root.ts';
import { InvariantBroken } from '../promises/invariants.ts';
import { keysUpTo, type WriterSetup } from './host-protocol.ts';

const PROGRAM = compiledProgram('crash/host/host-child.js');
/** A process in a pid namespace of its own, as in a container; it needs root. */
const UNSHARE = ['--pid', '--fork', '--mount-proc', '--kill-child'];
/** However busy the machine is, a writer that lives says something within that. */
const SILENCE_MS = 30_000;

/** Why there can be no pid namespaces here; undefined where there can. */
export function noNamespaces(): string | undefined {
  const { status, error, stderr } = spawnSync('unshare', [...UNSHARE, 'true']);
  if (status === 0) return undefined;
  return `pid namespaces: ${error?.message ?? String(stderr).trim()}`;
}

/** Now, by the clock that the writers tell times of. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint() / 1_000_000n);
}

/** One writing process, and all that it has told. */
export class HostWriter {
  readonly setup: WriterSetup;
  private readonly child: ChildProcess;
  private readonly isNamespaced: boolean;
  private readonly hot = new Set<number>();
  /** When each write began, by its number less one. */
  private readonly startsMs: number[] = [];
  private acknowledgedCount = 0;
  private openedMs: number | undefined;
  private end: string | undefined;
  private readonly ended: Promise<unknown>;
  /** Told of the next line. */
  private waiters: (() => void)[] = [];

  constructor(setup: WriterSetup, isNamespaced: boolean) {
    this.setup = setup;
    this.isNamespaced = isNamespaced;
    const words = [PROGRAM, JSON.stringify(setup)];
    this.child = isNamespaced
      ? spawn('unshare', [...UNSHARE, process.execPath, ...words], STDIO)
      : spawn(process.execPath, words, STDIO);
    // One that has ended reads no more.
    this.child.stdin?.on('error', () => {});
    const exited = once(this.child, 'close');
    const lines = createInterface({ input: this.child.stdout as NodeJS.ReadableStream });
    lines.on('line', (line) => this.take(line));
    this.ended = Promise.all([exited, once(lines, 'close')]).then(() => this.tellWaiters());
  }

  /** Writes of which the end of a sync was told. */
  get acknowledged(): number {
    return this.acknowledgedCount;
  }

  /** When the last of those began. */
  get lastAcknowledgedStartMs(): number {
    return this.startsMs[this.acknowledgedCount - 1] ?? 0;
  }

  get written(): number {
    return this.startsMs.length;
  }

  /** How long the opening took; undefined before. */
  get openMs(): number | undefined {
    return this.openedMs;
  }

  /** What ended it, in its own words: `refused CODE …`, `failed CODE …`, `closed`. */
  get lastWords(): string | undefined {
    return this.end;
  }

  /** The keys that its first writes leave, each with the number of the last. */
  keysUpTo(sequence: number): Map<string, number> {
    return keysUpTo(this.setup.prefix, this.hot, sequence);
  }

  /** Settles once it has told of so many more acknowledgements, or has ended. */
  async acknowledgesMore(count: number): Promise<void> {
    const goal = this.acknowledgedCount + count;
    await this.until(() => this.acknowledgedCount >= goal || this.end !== undefined);
  }

  /**
   * Settles once it has ended, or has told that a write is acknowledged that began after this time:
   * how much of what it told is still to be read does not matter.
   */
  async endsOrGoesOn(afterMs: number): Promise<void> {
    await this.until(() => this.end !== undefined || this.lastAcknowledgedStartMs > afterMs);
  }

  /** Settles once it has opened the store, or has failed to. */
  async opens(): Promise<void> {
    await this.until(() => this.openedMs !== undefined || this.end !== undefined);
  }

  /** Settles once it was refused or has ended by itself. */
  async ends(): Promise<void> {
    await this.until(() => this.end !== undefined);
  }

  /** Asks it to close its store, and waits for that. */
  async close(): Promise<void> {
    this.child.stdin?.end('end\n');
    await this.ended;
  }

  /** Stops it where it is, as a frozen container. */
  async stop(): Promise<void> {
    const pid = this.pid;
    process.kill(pid, 'SIGSTOP');
    while (!/\) [Tt] /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'))) await delay(1);
  }

  continue(): void {
    process.kill(this.pid, 'SIGCONT');
  }

  /** Kills it where it is; settles when it is gone and everything that it told was heard. */
  async kill(): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      try {
        process.kill(this.pid, 'SIGKILL');
      } catch {
        // It has just ended.
      }
    }
    await this.ended;
  }

  private get pid(): number {
    const { pid } = this.child as { pid: number };
    if (!this.isNamespaced) return pid;
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim();
    return children === '' ? pid : Number(children);
  }

  private async until(happened: () => boolean): Promise<void> {
    const deadlineMs = performance.now() + SILENCE_MS;
    while (!happened()) {
      if (performance.now() > deadlineMs)
        throw new InvariantBroken('alive', `a writer said nothing for ${SILENCE_MS / 1000} s`);
      const line = new Promise<void>((resolve) => {
        this.waiters.push(resolve);
      });
      await Promise.race([line, delay(SILENCE_MS, undefined, { ref: false })]);
      if (this.child.exitCode !== null || this.child.signalCode !== null) {
        await this.ended;
        this.end ??= 'ended without a word';
      }
    }
  }

  private take(line: string): void {
    const [word, first = '', second, third] = line.split(' ');
    if (word === 'w') {
      if (second === 'hot') this.hot.add(Number(first));
      this.startsMs.push(Number(third));
    } else if (word === 'a') this.acknowledgedCount = Number(first);
    else if (word === 'opened') this.openedMs = Number(first);
    else this.end ??= line;
    this.tellWaiters();
  }

  private tellWaiters(): void {
    for (const tell of this.waiters.splice(0)) tell();
  }
}

const STDIO: SpawnOptions = { stdio: ['pipe', 'pipe', 'ignore'] };
