import { dirname, resolve } from 'node:path';
import type { Command } from 'commander';
import {
  type LostRange,
  RecordType,
  type SalvageReport,
  type SealedRecords,
  salvage,
} from '../engine/index.ts';
import { addDirectory, addJson, type JsonFlags } from './common-options.ts';
import { ExitCode } from './exit-code.ts';
import { telling } from './failure.ts';
import { Output } from './output.ts';
import { placeName, segmentFile } from './place.ts';
import { counted, printable, SHOWN_BYTES } from './printable.ts';
import { Progress } from './progress.ts';
import { base64, TYPE_NAMES } from './record-lines.ts';
import { WatchedFileSystem } from './watched-file-system.ts';

/** How many keys of a range are shown. */
const SHOWN_KEYS = 5;

export function define(command: Command): void {
  addJson(addDirectory(command, 'the damaged store; only read'))
    .argument('<new-directory>', 'must not exist')
    .addHelpText(
      'after',
      `
Deletes are copied as well. Which keys a lost range held is told where the segment's seal file names them; their values are
lost, so a salvaged store may hold older ones than the damaged one did. Exit status 2: something was lost, or seals, mark
and segments contradict each other.`,
    )
    .action(async (directory: string, target: string, { json }: JsonFlags) => {
      const report = await salvageStore(directory, target);
      const output = new Output();
      if (json) output.json('salvage', reportJson(report));
      else {
        output.line(`${counted(report.recordsKept, 'record')} kept in ${target}`);
        for (const line of lossLines(report)) output.line(line);
        for (const { damage, because, ...place } of report.contradictions)
          output.line(`contradiction: ${damage} at ${placeName(place)}: ${because}`);
      }
      const { lostCount, missingSegmentCount, contradictions } = report;
      if (lostCount + missingSegmentCount + contradictions.length > 0)
        process.exitCode = ExitCode.recoverable;
      await output.flush();
    });
}

function reportJson({ lost, contradictions, ...counts }: SalvageReport) {
  return {
    ...counts,
    lost: lost.map(rangeJson),
    contradictions: contradictions.map(({ segmentId, ...rest }) => ({
      segment: segmentId,
      ...rest,
    })),
  };
}

function rangeJson({ segmentId, offset, byteLength, damage, bySeal }: LostRange) {
  const records = bySeal?.records.map(({ key, type }) => ({
    type: TYPE_NAMES[type],
    key_b64: base64(key),
  }));
  return {
    segment: segmentId,
    offset,
    bytes: byteLength,
    damage,
    bySeal: bySeal === undefined ? null : { recordCount: bySeal.recordCount, records },
  };
}

function* lossLines(report: SalvageReport): Generator<string> {
  const { lost, lostCount, lostBytes, missingSegments, missingSegmentCount } = report;
  for (const range of lost) {
    yield `lost: ${range.byteLength} bytes at ${placeName(range)} (${range.damage})${namesText(range.bySeal)}`;
  }
  if (lostCount > lost.length)
    yield `lost: ${counted(lostCount - lost.length, 'range')} more; ${counted(lostBytes, 'byte')} in all`;
  const told = new Set(lost.map(({ segmentId }) => segmentId));
  for (const segmentId of missingSegments)
    if (!told.has(segmentId)) yield `lost: segment ${segmentFile(segmentId)} is missing`;
  if (missingSegmentCount > missingSegments.length)
    yield `lost: ${counted(missingSegmentCount - missingSegments.length, 'segment')} more that are missing`;
}

/**
 * Names the keys that the seal knows. A seal may outlive what it tells of; the bytes themselves say
 * nothing any more.
 */
function namesText(bySeal: SealedRecords | undefined): string {
  if (bySeal === undefined) return '';
  const { recordCount, records } = bySeal;
  if (recordCount === 0) return '; its seal file knows no key there';
  const shown = records
    .slice(0, SHOWN_KEYS)
    .map(
      ({ key, type }) =>
        printable(key, SHOWN_BYTES) + (type === RecordType.Delete ? ' (delete)' : ''),
    );
  if (recordCount > shown.length) shown.push('...');
  return `; its seal file names ${counted(recordCount, 'record')} there: ${shown.join(', ')}`;
}

function salvageStore(directory: string, target: string): Promise<SalvageReport> {
  // Without an end: how often a segment is read depends on what is found in it.
  const progress = new Progress('salvaging');
  const source = resolve(directory);
  const fileSystem = new WatchedFileSystem((path) => dirname(path) === source, progress.add);
  return telling(target, salvage(source, target, { fileSystem })).finally(() => progress.end());
}
