#!/usr/bin/env node
import { CommanderError } from 'commander';
import { ExitCode } from '../harness/exit-code.ts';
import { UsageError } from './measuring/bench-directory.ts';
import { benchProgram } from './program.ts';

// A pipe that was closed, as `| head` does, is no reason to end a run.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
// By way of `exit`, where the directory of the run is removed.
process.once('SIGINT', () => process.exit(ExitCode.interrupted));
process.once('SIGTERM', () => process.exit(ExitCode.terminated));

try {
  await benchProgram().parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    // Commander has printed it.
    process.exitCode = error.exitCode === 0 ? ExitCode.pass : ExitCode.usage;
  } else if (error instanceof UsageError) {
    process.stderr.write(`bench: ${error.message}\n`);
    process.exitCode = ExitCode.usage;
  } else {
    process.stderr.write(`bench: ${(error as Error).stack}\n`);
    process.exitCode = ExitCode.inconclusive;
  }
}
