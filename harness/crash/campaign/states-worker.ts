import { setImmediate as nextTurn } from 'node:timers/promises';
import type { CrashStateCounts } from '../states/crash-states.ts';
import type { FromStatesWorker, ToStatesWorker } from './campaign-messages.ts';
import { checkStates } from './states-task.ts';

/** A process of the campaign: checks one workload after the other. */

const REPORT_INTERVAL_MS = 250;

let isStopped = false;
let lastReportMs = 0;

// A terminal signals the whole process group; only the campaign decides what an interrupt means.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => {});
process.on('disconnect', () => process.exit());
process.on('message', (message: ToStatesWorker) => {
  switch (message.type) {
    case 'check':
      isStopped = false;
      void checkStates(message.task, turn).then((answer) => send({ type: 'checked', answer }));
      break;
    case 'stop':
      isStopped = true;
      break;
    case 'end':
      process.exit();
  }
});

/** Lets a message in, and reports now and then. False when it is to stop. */
async function turn(counts: CrashStateCounts): Promise<boolean> {
  if (performance.now() - lastReportMs > REPORT_INTERVAL_MS) {
    lastReportMs = performance.now();
    send({ type: 'counts', counts });
    await nextTurn();
  }
  return !isStopped;
}

function send(message: FromStatesWorker): void {
  // The campaign may have been killed meanwhile, and an error that nobody takes would be printed.
  if (process.connected) process.send?.(message, undefined, {}, () => {});
}
