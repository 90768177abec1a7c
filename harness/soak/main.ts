#!/usr/bin/env node
import { UsageError } from '../command-line.ts';
import { ExitCode } from '../exit-code.ts';
import { enterInvokedDirectory } from '../invocation.ts';
import { complain, print, watchStandardStreams } from '../standard-streams.ts';
import { parseOptions } from './options/options.ts';
import { Refusal } from './refusal.ts';
import { SERIES } from './sampling/series.ts';
import { selfTest } from './self-test.ts';
import { soakCommand } from './soak.ts';

watchStandardStreams('soak');
enterInvokedDirectory('soak');

try {
  process.exitCode = await answer(process.argv.slice(2));
} catch (error) {
  const isExpected = error instanceof UsageError || error instanceof Refusal;
  complain(`soak: ${isExpected ? error.message : (error as Error).stack}`);
  if (error instanceof Refusal) process.exitCode = error.exitCode;
  // What fails in the observer itself says nothing of the store.
  else process.exitCode = isExpected ? ExitCode.usage : ExitCode.inconclusive;
}

async function answer(words: readonly string[]): Promise<ExitCode> {
  const request = parseOptions(words);
  switch (request?.kind) {
    case undefined:
      return ExitCode.pass;
    case 'soak':
      return soakCommand(request.options);
    case 'self-test':
      return selfTest(request);
    case 'list-series':
      for (const { name, unit, title } of SERIES) {
        print(`${name.padEnd(28)}${unit.padEnd(10)}${title}`);
      }
      return ExitCode.pass;
  }
}
