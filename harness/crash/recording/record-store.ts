import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { DiskImage } from '../../file-systems/disk-image.ts';
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
}

export interface RecordOptions {
  readonly first?: DiskImage;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

/** Records a store while it takes the steps of a task. */
export function recordStore(task: RecordTask, options: RecordOptions): Promise<ProgramRecord> {
  const packageFile = createRequire(import.meta.url).resolve('tidemark/package.json');
  const folder = join(dirname(packageFile), 'dist', 'harness', 'crash', 'recording');
  return recordProgram({
    command: [process.execPath, join(folder, 'record-child.js'), JSON.stringify(task)],
    directory: task.directory,
    cwd: process.cwd(),
    ...options,
  });
}
