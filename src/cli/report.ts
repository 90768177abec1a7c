import type { Command } from 'commander';
import { addDirectory, addJson, type JsonFlags } from './common-options.ts';
import { existingSegments, ignoredTail, viewDirectory } from './directory-view.ts';
import { ExitCode } from './exit-code.ts';
import { inspectAt } from './frame-at.ts';
import { GaugesProbe } from './gauges-probe.ts';
import { withReader } from './opening.ts';
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

export async function reportOpening(directory: string, full: boolean): Promise<OpeningReport> {
  const probe = new GaugesProbe();
  // What a writer appends while this runs is in neither view, or in the later one only: it is no
  // tail.
  const before = existingSegments(directory);
  return withReader(
    directory,
    async (reader) => {
      const { segments } = viewDirectory(directory);
      const keptBytes = probe.now.segmentBytes;
      const isShort = ignoredTail(before, keptBytes) !== undefined;
      const tail = isShort ? ignoredTail(segments, keptBytes) : undefined;
      return {
        outcome: tail === undefined ? 'whole' : 'torn',
        keys: reader.size,
        keptBytes,
        segments: segments.length,
        seals: segments.filter(({ hasSeal }) => hasSeal).length,
        tail:
          tail === undefined
            ? null
            : {
                segment: tail.segmentId,
                offset: tail.offset,
                bytes: tail.byteLength,
                damage: inspectAt(directory, tail).verdict,
              },
      };
    },
    { probe, open: full ? 'full' : 'seals' },
  );
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
