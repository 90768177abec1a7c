#!/usr/bin/env node
import { Command } from 'commander';
import { ExitCode } from '../exit-code.ts';
import { COMMAND_OUTPUT, complain, print, watchStandardStreams } from '../standard-streams.ts';
import { committedCorpus, FIXTURES, generateCorpus, writeCorpus } from './corpus.ts';
import { verifyCorpus } from './verifier.ts';

watchStandardStreams('corpus');

const program = new Command('corpus')
  .configureOutput(COMMAND_OUTPUT)
  .description('The frozen fixtures of the wire format: stores on disk that must never change.')
  .addHelpText(
    'after',
    '\nExit status: 0 all as frozen; 1 bytes or openings differ; 2 usage, or the directory cannot be used.',
  )
  .showSuggestionAfterError()
  .exitOverride();

program
  .command('generate')
  .description('make every fixture and the manifest anew')
  .argument('<directory>', 'where; must be empty or not exist')
  .action(async (directory: string) => {
    await writeCorpus(directory, await generateCorpus());
    print(`${FIXTURES.length} fixtures written to ${directory}`);
  });

program
  .command('verify')
  .description(
    'compare with the committed manifest and a fresh generation, and open a copy of every fixture',
  )
  .argument('[directory]', 'a corpus, as generate writes it; the committed one by default')
  .action(async (directory: string = committedCorpus()) => {
    const problems = await verifyCorpus(directory);
    for (const problem of problems) complain(problem);
    if (problems.length > 0) process.exitCode = ExitCode.broken;
    const result = problems.length === 0 ? 'all as frozen' : `${problems.length} problems`;
    print(`${FIXTURES.length} fixtures in ${directory}: ${result}`);
  });

try {
  await program.parseAsync();
} catch (error) {
  const { code, exitCode } = error as { code?: string; exitCode?: number };
  if (code?.startsWith('commander.')) {
    // commander has said what was wrong, or printed the help that was asked for.
    process.exitCode = exitCode === 0 ? ExitCode.pass : ExitCode.usage;
  } else {
    complain(`corpus: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = ExitCode.usage;
  }
}
