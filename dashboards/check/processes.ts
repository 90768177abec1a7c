import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';

/** Something outside prevents the check; it says nothing of the dashboards. */
export class CannotCheck extends Error {}

export function isInstalled(program: string): boolean {
  return spawnSync(program, ['--version'], { stdio: 'ignore' }).status === 0;
}

/**
 * Finds a port of loopback that is free now. It lies below the range from which the system gives
 * ports to clients: somebody else's scrape could take one of those before it is listened on.
 */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 20; attempt++) {
    const port = randomInt(20_000, 30_000);
    const server = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => resolve(true));
    });
    if (!isFree) continue;
    await new Promise((resolve) => server.close(resolve));
    return port;
  }
  throw new CannotCheck('no port of loopback is free');
}

/** The processes of one check, which end with it. */
export class Processes {
  private readonly running = new Set<ChildProcess>();

  /** `said` of its output, on either stream, in a line: it is ready. */
  start(program: string, words: readonly string[], said: RegExp): Promise<ChildProcess> {
    const child = spawn(program, words, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.running.add(child);
    const lines: string[] = [];
    return new Promise((resolve, reject) => {
      for (const stream of [child.stdout, child.stderr]) {
        createInterface({ input: stream }).on('line', (line) => {
          lines.push(line);
          if (said.test(line)) resolve(child);
        });
      }
      child.once('error', (error) => reject(new CannotCheck(`${program}: ${error.message}`)));
      child.once('close', (code, signal) => {
        this.running.delete(child);
        reject(
          new CannotCheck(`${program} ended (${signal ?? code}): ${lines.slice(-12).join(' | ')}`),
        );
      });
    });
  }

  /** The status with which it ends. */
  async run(program: string, words: readonly string[]): Promise<number | null> {
    const child = spawn(program, words, { stdio: 'ignore' });
    this.running.add(child);
    return new Promise((resolve, reject) => {
      child.once('error', (error) => reject(new CannotCheck(`${program}: ${error.message}`)));
      child.once('close', (code) => {
        this.running.delete(child);
        resolve(code);
      });
    });
  }

  async kill(child: ChildProcess, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    if (!this.running.has(child)) return;
    const ended = new Promise((resolve) => child.once('close', resolve));
    child.kill(signal);
    await ended;
  }

  /** Ends all processes in the last moment of this one, which waits for nothing. */
  endAllNow(): void {
    for (const child of this.running) child.kill('SIGKILL');
  }

  async endAll(): Promise<void> {
    await Promise.all([...this.running].map((child) => this.kill(child)));
  }
}
