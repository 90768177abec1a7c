import type { Command } from 'commander';
import { salvage } from '../engine/index.ts';
import { addDirectory, addJson, type JsonFlags } from './common-options.ts';
import { ExitCode } from './exit-code.ts';
import { Output } from './output.ts';
import { placeName, segmentFile } from './place.ts';

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
      const { recordsKept, lost, missingSegments, missingSegmentCount } = await salvage(directory, target);
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
        output.line(`${recordsKept} records kept in ${target}`);
        for (const range of lost)
          output.line(`lost: ${range.byteLength} bytes at ${placeName(range)} (${range.damage})`);
        for (const segmentId of missingSegments)
          output.line(`lost: segment ${segmentFile(segmentId)} is missing`);
      }
      if (lost.length + missingSegmentCount > 0) process.exitCode = ExitCode.recoverable;
      await output.flush();
    });
}
