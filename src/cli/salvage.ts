import type { Command } from 'commander';
import { salvage } from '../engine/index.ts';
import { ExitCode } from './exit-code.ts';

export function addSalvage(program: Command): void {
  program
    .command('salvage')
    .description('copy every valid record of a damaged store into a new directory, and list what was lost')
    .argument('<directory>', 'the damaged store; only read')
    .argument('<new-directory>', 'must not exist')
    .action(async (directory: string, target: string) => {
      const report = await salvage(directory, target);
      process.stdout.write(`${report.recordsKept} records kept in ${target}\n`);
      for (const { segmentId, offset, byteLength, damage } of report.lost) {
        const name = `${String(segmentId).padStart(8, '0')}.dwal`;
        process.stdout.write(`lost: ${byteLength} bytes at ${name}:${offset} (${damage})\n`);
      }
      for (const segmentId of report.missingSegments) {
        process.stdout.write(`lost: segment ${String(segmentId).padStart(8, '0')}.dwal is missing\n`);
      }
      if (report.lost.length + report.missingSegments.length > 0) process.exitCode = ExitCode.recoverable;
    });
}
