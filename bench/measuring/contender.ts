import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { RowHead } from './group.ts';

/** What a process measures: a module with `setUp`, and what that is given. */
export interface ContenderSpec {
  /** Shown when the process fails. */
  readonly label: string;
  /** URL of a module that exports `setUp(input): Promise<Group>`. */
  readonly moduleUrl: string;
  readonly input: unknown;
}

export type ToContender =
  | { readonly type: 'set-up'; readonly moduleUrl: string; readonly input: unknown }
  | { readonly type: 'run'; readonly index: number; readonly times: number }
  | { readonly type: 'finish' };

export type FromContender =
  | { readonly type: 'ready'; readonly rows: readonly RowHead[]; readonly details: unknown }
  | { readonly type: 'measured'; readonly value: number }
  | { readonly type: 'finished' }
  | { readonly type: 'failed'; readonly message: string };

/**
 * One process that is measured. It works only while it is asked to, so that several can take turns.
 */
export class Contender {
  readonly rows: readonly RowHead[];
  /** What the set-up tells of itself, beside its rows. */
  readonly details: unknown;
  private readonly label: string;
  private readonly child: ChildProcess;

  private constructor(
    label: string,
    child: ChildProcess,
    rows: readonly RowHead[],
    details: unknown,
  ) {
    this.label = label;
    this.child = child;
    this.rows = rows;
    this.details = details;
  }

  static async start({ label, moduleUrl, input }: ContenderSpec): Promise<Contender> {
    const program = fileURLToPath(new URL('./contender-child.js', import.meta.url));
    const child = fork(program, {
      execArgv: ['--expose-gc'],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    const answer = await ask(label, child, { type: 'set-up', moduleUrl, input });
    if (answer.type !== 'ready') throw new Error(`${label}: answered ${answer.type} to set-up`);
    return new Contender(label, child, answer.rows, answer.details);
  }

  /** Nanoseconds a call, or the value in the row's own unit; the least of so many runs. */
  async run(index: number, times = 1): Promise<number> {
    const answer = await ask(this.label, this.child, { type: 'run', index, times });
    if (answer.type !== 'measured')
      throw new Error(`${this.label}: answered ${answer.type} to run`);
    return answer.value;
  }

  async finish(): Promise<void> {
    await ask(this.label, this.child, { type: 'finish' });
    const exited = once(this.child, 'exit');
    this.child.disconnect();
    await exited;
  }

  /** Ends the process at once, when another contender has failed. */
  kill(): void {
    this.child.kill('SIGKILL');
  }
}

async function ask(
  label: string,
  child: ChildProcess,
  question: ToContender,
): Promise<FromContender> {
  const waiting = new AbortController();
  const { signal } = waiting;
  const died = once(child, 'exit', { signal }).then(([code, killedBy]) => {
    throw new Error(`${label}: the process ended with ${killedBy ?? `status ${code}`}`);
  });
  const answered = once(child, 'message', { signal }).then(([message]) => message as FromContender);
  try {
    child.send(question);
    const answer = await Promise.race([answered, died]);
    if (answer.type === 'failed') throw new Error(`${label}: ${answer.message}`);
    return answer;
  } finally {
    // Both were raced for; the loser has nobody left to tell.
    answered.catch(() => {});
    died.catch(() => {});
    waiting.abort();
  }
}
