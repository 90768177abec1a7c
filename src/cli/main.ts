#!/usr/bin/env node
import { Command } from 'commander';
import { ExitCode, exitCodeOf } from './exit-code.ts';
import { addHexdump } from './hexdump.ts';
import { addSalvage } from './salvage.ts';

const program = new Command('tidemark')
  .description('Looks into a tidemark (or datawal) store.')
  .addHelpText(
    'after',
    '\nExit status: 0 success; 1 usage, or a locked or missing store; 2 something was lost; 3 corruption.',
  )
  .showSuggestionAfterError()
  .exitOverride();

// `| head` closes the pipe when it has seen enough.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit();
});

addHexdump(program);
addSalvage(program);

try {
  await program.parseAsync();
} catch (error) {
  const { code, exitCode } = error as { code?: string; exitCode?: number };
  if (code?.startsWith('commander.')) {
    // commander has said what was wrong, or printed the help that was asked for.
    process.exitCode = exitCode === 0 ? ExitCode.success : ExitCode.usage;
  } else {
    process.stderr.write(`tidemark: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = exitCodeOf(error);
  }
}
