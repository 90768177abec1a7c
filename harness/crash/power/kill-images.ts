import { cpSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { CheckerPool } from '../cuts/checker-pool.ts';
import { diskAt } from '../cuts/cut-search.ts';
import { StoreSubject as StoreCutSubject } from '../cuts/store-subject.ts';
import type { StoreFinding } from '../kills/store-finding.ts';
import type { StoreSubject } from '../kills/store-subject.ts';
import type { StorePromise } from '../promises/store-promises.ts';
import { scratchDirectory, whyNoRecording, writeDirectory } from '../recording/record-program.ts';
import { cutShape } from '../recording/record-steps.ts';
import { recordStore } from '../recording/record-store.ts';
import type { Recording } from '../recording/recording.ts';
import { imageDigest } from '../states/crash-images.ts';

export interface KillImagesOptions {
  readonly subject: StoreSubject;
  /** The directory for the stores of findings. */
  readonly directory: string;
  readonly seed: number;
  readonly seconds: number;
  /** Images that are opened at a time. */
  readonly parallel: number;
  readonly signal?: AbortSignal;
}

export interface KillImagesReport {
  readonly findings: StoreFinding[];
  /** Distinct images, each opened once. */
  opened: number;
  /** Calls before which the process was killed. */
  moments: number;
}

const STEPS = 24;
const RECORD_MS = 60_000;
const MOST_FINDINGS = 2;
const CALLS_SHOWN = 8;

/**
 * Kills a store in every call of recorded workloads: what it had written by then is what the next
 * process finds. Says nothing without strace, and nothing of stores that write through a map.
 */
export async function runKillImages(options: KillImagesOptions): Promise<KillImagesReport> {
  const { subject, seed, seconds, parallel, signal, directory } = options;
  const report: KillImagesReport = { findings: [], opened: 0, moments: 0 };
  if (whyNoRecording() !== undefined || subject.volatileFiles.length > 0) return report;
  const endMs = performance.now() + seconds * 1000;
  const isOver = () =>
    (signal?.aborted ?? false) ||
    performance.now() > endMs ||
    report.findings.length >= MOST_FINDINGS;
  const scratch = scratchDirectory();
  const pool = new CheckerPool(parallel);
  const found = new Set<string>();
  const { adapter, contract, shape: wide } = subject;
  const shape = cutShape(contract, { syncs: wide.syncs, compacts: wide.compacts });
  try {
    for (let index = 0; !isOver(); index++) {
      const own = (seed + index) % 2 ** 32;
      const task = {
        adapter,
        directory: join(scratch, 'store'),
        seed: own,
        stepCount: STEPS,
        shape,
      };
      const { recording, exitStatus } = await recordStore(task, {
        timeoutMs: RECORD_MS,
        ...(signal === undefined ? {} : { signal }),
      });
      if (exitStatus !== 0 || recording.troubles.length > 0 || recording.mapped.length > 0) break;
      const images = new StoreCutSubject({
        ...{ adapter, seed: own, stepCount: STEPS, shape, contract, pool },
        survived: 'kill',
      });
      for (let at = 0; at <= recording.events.length && !isOver(); at++) {
        const image = diskAt(recording, 'posix', at).image(() => 'kept');
        report.moments++;
        const moment = { recording, at };
        const verdict = await images.judge(image, imageDigest(image), moment);
        if (verdict === undefined || found.has(verdict.promise)) continue;
        found.add(verdict.promise);
        const kept = join(directory, `kill-${report.findings.length + 1}`);
        mkdirSync(directory, { recursive: true });
        writeDirectory(image, join(scratch, 'kept'));
        cpSync(join(scratch, 'kept'), kept, { recursive: true });
        const before = images.acknowledged(moment);
        const told = before === undefined ? '' : `${before.text} at call ${before.call}. `;
        report.findings.push({
          promise: verdict.promise as StorePromise,
          message: `${told}The process was killed before call ${callAt(recording, at)}. What is found then: ${verdict.message}.`,
          story: callsBefore(recording, at),
          directory: kept,
          reproduce: `${subject.command} --part kills --seed ${own}`,
        });
      }
      report.opened += images.opened;
    }
    return report;
  } finally {
    pool.end();
    rmSync(scratch, { recursive: true, force: true });
  }
}

function callAt({ events, calls }: Recording, at: number): number {
  return events[at]?.call.number ?? calls;
}

function callsBefore({ events }: Recording, at: number): string[] {
  return [
    'The last calls that changed the directory:',
    ...events
      .slice(Math.max(0, at - CALLS_SHOWN), at)
      .map(({ call }) => `    ${String(call.number).padStart(6)}  ${call.text}`),
    '            the process is killed',
  ];
}
