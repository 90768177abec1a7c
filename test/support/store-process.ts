import { type ChildProcess, fork, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { processState } from './process-state.ts';

const PROGRAM = fileURLToPath(new URL('./store-process.mjs', import.meta.url));

export interface OpenInProcessOptions {
  readonly kernelLocks?: boolean;
  readonly dieAtChange?: number;
  readonly stopBefore?: string;
}

/** What a process in a pid namespace of its own is started through; it needs root. */
const UNSHARE = ['--pid', '--fork', '--mount-proc', '--kill-child'];

/** Why there can be no pid namespaces here; undefined where there can. */
export const noPidNamespaces: string | undefined = (() => {
  const { status, error, stderr } = spawnSync('unshare', [...UNSHARE, 'true']);
  if (status === 0) return undefined;
  return `no pid namespace of its own: ${error?.message ?? String(stderr).trim()}`;
})();

/** What a call in the other process threw. */
export class RemoteError extends Error {
  declare readonly code: string | undefined;
  declare readonly holderPid: number | undefined;
}

/** A store in another process, which dies with the test at the latest. */
export class StoreProcess {
  private readonly child: ChildProcess;
  /** The pid of the process that has the store: another one where a namespace was made for it. */
  private innerPid: number | undefined;

  private constructor(child: ChildProcess) {
    this.child = child;
  }

  static async start(): Promise<StoreProcess> {
    const child = fork(PROGRAM, { execArgv: [], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    return new StoreProcess(child).started();
  }

  /** The same as the first process of a new pid namespace, as in a container. */
  static async startInNamespace(): Promise<StoreProcess> {
    const child = spawn('unshare', [...UNSHARE, process.execPath, PROGRAM], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    const started = await new StoreProcess(child).started();
    const children = `/proc/${child.pid}/task/${child.pid}/children`;
    started.innerPid = Number(readFileSync(children, 'latin1').trim());
    return started;
  }

  private async started(): Promise<this> {
    onTestFinished(() => this.kill());
    await this.reply();
    return this;
  }

  get pid(): number {
    return this.innerPid ?? (this.child.pid as number);
  }

  /** How many changes of the file system the opening took. */
  open(directory: string, options: OpenInProcessOptions = {}): Promise<number> {
    return this.call('open', directory, options) as Promise<number>;
  }

  /** Makes a call there and settles as it does; rejects when the process dies first. */
  call(name: string, ...args: unknown[]): Promise<unknown> {
    const reply = this.reply();
    // A test may kill the process before it looks at the answer.
    reply.catch(() => {});
    this.child.send({ call: name, args });
    return reply;
  }

  signal(signal: NodeJS.Signals): void {
    process.kill(this.pid, signal);
  }

  /** Resolves when the process is stopped, as `ps` would show it. */
  async stopped(): Promise<void> {
    while (processState(this.pid) !== 'T') {
      if (this.hasEnded) throw new Error('the process ended before it stopped');
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }

  /** Kills it where it is, and resolves when it is gone. */
  async kill(): Promise<void> {
    if (this.hasEnded) return;
    const exited = once(this.child, 'exit');
    this.signal('SIGKILL');
    await exited;
  }

  private get hasEnded(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  private reply(): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const onMessage = (message: { value?: unknown; error?: object }) => {
        this.child.off('exit', onExit);
        if (message.error === undefined) resolve(message.value);
        else reject(Object.assign(new RemoteError(), message.error));
      };
      const onExit = () => {
        this.child.off('message', onMessage);
        reject(new Error('the process ended before it answered'));
      };
      this.child.once('message', onMessage);
      this.child.once('exit', onExit);
    });
  }
}
