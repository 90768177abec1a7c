import type { DiskImage } from '../../file-systems/disk-image.ts';
import { compiledProgram } from '../../package-root.ts';
import type { WorkShape } from '../../workloads/work-steps.ts';
import { type ProgramRecord, recordProgram } from './record-program.ts';

export interface RecordTask {
  readonly adapter: string;
  readonly directory: string;
  readonly seed: number;
  /** None: it is opened and closed. */
  readonly stepCount: number;
  /** Only these of the steps, by their numbers. */
  readonly only?: readonly number[];
  readonly shape: WorkShape;
  /** A step that fails does not end it: somebody lets a sync fail. */
  readonly goesOn?: boolean;
}

export interface RecordOptions {
  readonly first?: DiskImage;
  readonly without?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly inject?: string;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

/** Records a store while it takes the steps of a task. */
export function recordStore(task: RecordTask, options: RecordOptions): Promise<ProgramRecord> {
  return recordProgram({
    command: [
      process.execPath,
      compiledProgram('crash/recording/record-child.js'),
      JSON.stringify(task),
    ],
    directory: task.directory,
    cwd: process.cwd(),
    ...options,
  });
}
