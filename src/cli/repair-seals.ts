import type { Command } from 'commander';
import type { Probe } from '../engine/index.ts';
import { addDirectory, addJson, type JsonFlags } from './common-options.ts';
import { filesIn } from './directory-view.ts';
import { ExitCode } from './exit-code.ts';
import { requireStore, withStore } from './opening.ts';
import { Output } from './output.ts';

interface Repair {
  readonly segmentId: number;
  readonly was: 'missing' | 'damaged';
  /** Undefined when the seal was written. */
  readonly failure: string | undefined;
}

export function define(command: Command): void {
  addJson(addDirectory(command))
    .addHelpText(
      'after',
      `
Takes the writer lock. A seal file that is missing or damaged only makes openings slower; one that contradicts its segment
is corruption, and stays. Exit status 2: a seal could not be written.`,
    )
    .action(async (directory: string, { json }: JsonFlags) => {
      requireStore(directory);
      const repairs = await repairSeals(directory);
      const output = new Output();
      for (const { segmentId, was, failure } of repairs) {
        const name = sealFile(segmentId);
        if (json)
          output.json('seal', { segment: segmentId, was, written: failure === undefined, failure });
        else
          output.line(
            `${name} was ${was}: ${failure === undefined ? 'written anew' : `not written: ${failure}`}`,
          );
      }
      if (!json && repairs.length === 0) output.line('every sealed segment has its seal file');
      if (repairs.some(({ failure }) => failure !== undefined))
        process.exitCode = ExitCode.recoverable;
      await output.flush();
    });
}

function sealFile(segmentId: number): string {
  return `${String(segmentId).padStart(8, '0')}.seal`;
}

async function repairSeals(directory: string): Promise<Repair[]> {
  // By their names: what is there and counts for nothing is damaged.
  const before = new Set(filesIn(directory).map(({ name }) => name));
  const repairs = new Map<number, Repair>();
  const probe: Probe = {
    event: (event) => {
      if (event.kind !== 'seal') return;
      const { segmentId, error } = event;
      const was = before.has(sealFile(segmentId)) ? 'damaged' : 'missing';
      repairs.set(segmentId, { segmentId, was, failure: error?.message });
    },
  };
  // A close would not wait for all of them where there is much to seal.
  await withStore(directory, (store) => store.sealsWritten(), { probe });
  return [...repairs.values()].sort((a, b) => a.segmentId - b.segmentId);
}
