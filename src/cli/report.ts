import { setTimeout as delay } from 'node:timers/promises';
import type { Command } from 'commander';
import { type SnapshotReport, surveyStore } from '../engine/index.ts';
import { addDirectory, addJson, type JsonFlags } from './common-options.ts';
import { ExitCode } from './exit-code.ts';
import { repeatedly, withReader } from './opening.ts';
import { Output } from './output.ts';
import { placeName } from './place.ts';
import { counted } from './printable.ts';

/** What an opening finds, of which a refusal is thrown instead. */
export interface OpeningReport {
  /** `torn`: bytes after the end of the valid log, which the next writer moves to quarantine. */
  readonly outcome: 'whole' | 'torn';
  readonly keys: number;
  readonly keptBytes: number;
  readonly segments: number;
  readonly seals: number;
  readonly tail: {
    readonly segment: number;
    readonly offset: number;
    readonly bytes: number;
    readonly damage: string;
  } | null;
}

export function define(command: Command): void {
  addJson(addDirectory(command))
    .option(
      '--full',
      'read and check every byte, instead of taking sealed segments from their seal files',
    )
    .addHelpText(
      'after',
      `
Changes nothing. Exit status 0: the log is whole; 2: bytes follow the end of the valid log, as a crash leaves them, or a
writer that is at work; 3: an opening refuses the store, and the message says where and why.`,
    )
    .action(async (directory: string, { json, full }: JsonFlags & { readonly full?: boolean }) => {
      const report = await reportOpening(directory, full === true);
      if (report.outcome === 'torn') process.exitCode = ExitCode.recoverable;
      const output = new Output();
      if (json) output.json('report', { ...report });
      else for (const line of render(report)) output.line(line);
      await output.flush();
    });
}

/** How often the end of the log is looked at again, and after how long. */
const LOOKS = 4;
const LOOK_AGAIN_MS = 25;

export async function reportOpening(directory: string, full: boolean): Promise<OpeningReport> {
  const { size, report } = await repeatedly(() => look(directory, full, true));
  let end = report;
  // What a writer is about to append follows the end as well, and soon belongs to it.
  for (let looks = 1; end.outcome === 'unfinished' && looks < LOOKS; looks++) {
    await delay(LOOK_AGAIN_MS);
    const again = await repeatedly(() => look(directory, false, false));
    const hasMoved = again.report.bytesKept !== end.bytesKept;
    end = again.report;
    if (!hasMoved && looks > 1) break;
  }
  const survey = await repeatedly(() => surveyStore(directory));
  const [first] = end.outcome === 'unfinished' ? end.ignored : [];
  return {
    outcome: first === undefined ? 'whole' : 'torn',
    keys: size,
    keptBytes: end.bytesKept,
    segments: survey.segments.length,
    seals: survey.segments.filter(({ hasSeal }) => hasSeal).length,
    tail:
      first === undefined
        ? null
        : {
            segment: first.segmentId,
            offset: first.offset,
            bytes: end.ignored.reduce((sum, { byteLength }) => sum + byteLength, 0),
            damage: first.damage,
          },
  };
}

function look(
  directory: string,
  full: boolean,
  keys: boolean,
): Promise<{ readonly size: number; readonly report: SnapshotReport }> {
  return withReader(directory, async ({ size, recoveryReport: report }) => ({ size, report }), {
    open: full ? 'full' : 'seals',
    keys,
  });
}

function* render({
  outcome,
  keys,
  keptBytes,
  segments,
  seals,
  tail,
}: OpeningReport): Generator<string> {
  yield `outcome   ${outcome}`;
  yield `keys      ${keys.toLocaleString('en')}`;
  yield `kept      ${keptBytes.toLocaleString('en')} bytes in ${counted(segments, 'segment')}, ${seals} with a seal file`;
  if (tail === null) return;
  const place = placeName({ segmentId: tail.segment, offset: tail.offset });
  yield `ignored   ${tail.bytes.toLocaleString('en')} bytes from ${place} on: ${tail.damage}`;
  yield '          a crash cut a write short, or a writer is at work; the next opening for writing keeps what precedes';
  yield '          it, and saves these bytes under quarantine/';
}
