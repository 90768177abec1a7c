import { writeSync } from 'node:fs';
import { loadAdapter } from '../../adapters/load-adapter.ts';
import type { RecordTask } from './record-store.ts';
import { recordWork } from './record-work.ts';

/**
 * The recorded process: `record-child.js TASK`. Every mark is one write to the standard output, in
 * the stream of system calls, so that its place among them is the kernel's.
 */
const STANDARD_OUTPUT = 1;
const task = JSON.parse(process.argv[2] as string) as RecordTask;
const open = await loadAdapter(task.adapter);
await recordWork(open, task, (text) => writeSync(STANDARD_OUTPUT, `${text}\n`));
// A store may hold timers or threads that keep a process alive.
process.exit();
