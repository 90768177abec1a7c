import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { compiledProgram } from '../package-root.ts';
import type { Outcome } from './hostile-values.ts';
import { endStrays, newMark } from './stray-processes.ts';
import type { WorkShape } from './work-steps.ts';

/** What a store process is to do; it stands on its command line as JSON. */
export type StoreTask = WorkTask | LookTask | ProbeTask;

interface Task {
  /** The adapter's name or path, which `loadAdapter` takes. */
  readonly adapter: string;
  readonly directory: string;
  /** The seed of keys and values. */
  readonly seed: number;
}

/** Opens the store and takes the steps of a workload, telling each. */
export interface WorkTask extends Task {
  readonly task: 'work';
  readonly round: number;
  readonly shape: WorkShape;
  readonly ordered: boolean;
  /** What keys hold that hold anything, as pairs. */
  readonly before: readonly (readonly [number, Outcome])[];
  /** It closes the store after so many, and ends. Without it, it never ends by itself. */
  readonly steps?: number;
  /** A step that fails does not end it: somebody injects faults. */
  readonly goesOn: boolean;
  /** Pauses so long behind every sixteenth step, in which nothing is synced. */
  readonly pauseMs?: number;
  /** Waits for a line on its standard input when it has opened the store. */
  readonly waits?: boolean;
}

/**
 * Opens the store, tells what each key holds, then puts one more value, syncs, opens again and sees
 * whether all of it is there.
 */
export interface LookTask extends Task {
  readonly task: 'look';
  readonly shape: WorkShape;
  readonly ordered: boolean;
  /** The version of the value that is put at the end. */
  readonly version: number;
}

/** Finds out which keys and values the store refuses. */
export interface ProbeTask extends Task {
  readonly task: 'probe';
}

/** The words of a command that does the task. */
export function taskCommand(task: StoreTask): string[] {
  return [process.execPath, compiledProgram('workloads/store-child.js'), JSON.stringify(task)];
}

/** How a store process ended, and what it had told. */
export interface TaskEnd {
  /** Whole lines only. */
  readonly lines: readonly string[];
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** It was killed because it took too long. */
  readonly hung: boolean;
  /** Processes that the store had started and that went on without it, as commands; all killed. */
  readonly strays: readonly string[];
  readonly errors: string;
}

export interface TaskOptions {
  /** Program and arguments in front of the process's own. */
  readonly wrapper?: readonly string[];
  readonly environment?: NodeJS.ProcessEnv;
  /** Killed when it lives longer. */
  readonly mostMs: number;
  /** Called for each line that it finishes. */
  readonly onLine?: (line: string, child: ChildProcess, kill: () => void) => void;
  /** Called once it runs. */
  readonly onStart?: (kill: () => void) => void;
}

const MOST_ERROR_CHARACTERS = 1500;

/** Runs a task, in a process group of its own, to its end. Nothing of the group is left. */
export async function runTask(task: StoreTask, options: TaskOptions): Promise<TaskEnd> {
  return runProcess([...(options.wrapper ?? []), ...taskCommand(task)], options);
}

/** Does what `runTask` does, for a command that comes to the same. */
export async function runProcess(
  command: readonly string[],
  { environment, mostMs, onLine, onStart }: TaskOptions,
): Promise<TaskEnd> {
  const mark = newMark();
  const child = spawn(command[0] as string, command.slice(1), {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, ...environment, ...mark },
    detached: true,
  });
  const kill = () => {
    try {
      process.kill(-(child.pid as number), 'SIGKILL');
    } catch {
      // The group is gone.
    }
  };
  let hung = false;
  let strays: readonly string[] = [];
  const watchdog = setTimeout(() => {
    hung = true;
    kill();
    // What left the group may hold the pipes open.
    strays = endStrays(mark);
  }, mostMs);
  let text = '';
  let unfinished = '';
  let errors = '';
  child.stdin.on('error', () => {});
  child.on('error', (error) => {
    errors += error.message;
  });
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    if (errors.length < 8 * MOST_ERROR_CHARACTERS) errors += chunk;
  });
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    const lines = (unfinished + chunk).split('\n');
    unfinished = lines.pop() as string;
    for (const line of lines) {
      text += `${line}\n`;
      onLine?.(line, child, kill);
    }
  });
  onStart?.(kill);
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  clearTimeout(watchdog);
  // A store that forked must not go on beside the next opening.
  kill();
  strays = [...strays, ...endStrays(mark)];
  return {
    strays,
    lines: text.split('\n').slice(0, -1),
    code,
    signal,
    hung,
    errors: errors.trim().slice(0, MOST_ERROR_CHARACTERS),
  };
}
