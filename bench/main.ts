#!/usr/bin/env node
import { CommanderError } from 'commander';
import { ExitCode } from '../harness/exit-code.ts';
import { complain, watchStandardStreams } from '../harness/standard-streams.ts';
import { UsageError } from './measuring/bench-directory.ts';
import { benchProgram } from './program.ts';

watchStandardStreams('bench');
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
    complain(`bench: ${error.message}`);
    process.exitCode = ExitCode.usage;
  } else {
    complain(`bench: ${(error as Error).stack}`);
    process.exitCode = ExitCode.inconclusive;
  }
}
