import { dirname, resolve } from 'node:path';
import type { Command } from 'commander';
import { type SalvageReport, salvage } from '../engine/index.ts';
import { addDirectory, addJson, type JsonFlags } from './common-options.ts';
import { existingSegments } from './directory-view.ts';
import { ExitCode } from './exit-code.ts';
import { Output } from './output.ts';
import { placeName, segmentFile } from './place.ts';
import { counted } from './printable.ts';
import { Progress } from './progress.ts';
import { WatchedFileSystem } from './watched-file-system.ts';

export function define(command: Command): void {
  addJson(addDirectory(command, 'the damaged store; only read'))
    .argument('<new-directory>', 'must not exist')
    .addHelpText(
      'after',
      `
Deletes are copied as well. What a lost range held is not known, so a salvaged store may hold older values than the
damaged one did. Exit status 2: something was lost.`,
    )
    .action(async (directory: string, target: string, { json }: JsonFlags) => {
      const { recordsKept, lost, missingSegments, missingSegmentCount } = await salvageStore(
        directory,
        target,
      );
      const output = new Output();
      if (json) {
        const ranges = lost.map(({ segmentId, offset, byteLength, damage }) => ({
          segment: segmentId,
          offset,
          bytes: byteLength,
          damage,
        }));
        output.json('salvage', { recordsKept, lost: ranges, missingSegments, missingSegmentCount });
      } else {
        output.line(`${counted(recordsKept, 'record')} kept in ${target}`);
        for (const range of lost)
          output.line(`lost: ${range.byteLength} bytes at ${placeName(range)} (${range.damage})`);
        for (const segmentId of missingSegments)
          output.line(`lost: segment ${segmentFile(segmentId)} is missing`);
      }
      if (lost.length + missingSegmentCount > 0) process.exitCode = ExitCode.recoverable;
      await output.flush();
    });
}

function salvageStore(directory: string, target: string): Promise<SalvageReport> {
  const sizeBytes = existingSegments(directory).reduce((sum, segment) => sum + segment.sizeBytes, 0);
  const progress = new Progress('salvaging', sizeBytes);
  const source = resolve(directory);
  const fileSystem = new WatchedFileSystem((path) => dirname(path) === source, progress.add);
  return salvage(source, target, fileSystem).finally(() => progress.end());
}
