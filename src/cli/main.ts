#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { COMMANDS, READING } from './command-table.ts';
import { ExitCode } from './exit-code.ts';
import { letSignalsKill } from './interruption.ts';
import { complain, watchStandardStreams } from './standard-streams.ts';

const HELP = `
Exit status: 0 success; 1 usage, or a locked or missing store; 2 a key is absent, or something was lost that the
store can do without; 3 corruption. 'tidemark COMMAND --help' says more.`;

watchStandardStreams();

const words = process.argv.slice(2);
const isJson = words.includes('--json');
const isCommand = (word: string | undefined) => COMMANDS.some(({ name }) => name === word);

const program = new Command('tidemark')
  .description('Looks into a tidemark (or datawal) store, keeps it, and rescues it.')
  .version(version(), '-V, --version', 'print the version')
  .helpOption('-h, --help', 'print help')
  .helpCommand('help [command]', 'print the help of a command')
  .addHelpText('after', HELP)
  .configureHelp({ subcommandTerm: (command) => command.name() })
  // `tell` says what was wrong.
  .configureOutput({ outputError: () => {} })
  .commandsGroup('Other:')
  .enablePositionalOptions()
  .showSuggestionAfterError()
  .exitOverride();

for (const { name, summary, group, load } of COMMANDS) {
  const command = program.command(name).description(summary).helpGroup(group);
  // `help scan` needs the options of scan as well.
  if (!words.slice(0, 2).includes(name)) continue;
  (await load()).define(command, COMMANDS);
  if (group === READING) letSignalsKill();
}

try {
  // commander answers `help NONSENSE` with its own help, and not with what is wrong.
  const isHelpOfNothing =
    words[0] === 'help' && /^(?!-|help$)./.test(words[1] ?? '') && !isCommand(words[1]);
  await program.parseAsync(isHelpOfNothing ? words.slice(1) : words, { from: 'user' });
} catch (error) {
  await tell(error);
}

async function tell(error: unknown): Promise<void> {
  const { code, exitCode } = error as { code?: string; exitCode?: number };
  if (code?.startsWith('commander.') && (exitCode === 0 || code === 'commander.help')) {
    // The help has been printed: because it was asked for, or because nothing was.
    process.exitCode = exitCode === 0 ? ExitCode.success : ExitCode.usage;
    return;
  }
  const { ClosedPipe, JSON_SCHEMA, jsonLine } = await import('./output.ts');
  if (error instanceof ClosedPipe) return;
  const { failureOf } = await import('./failure.ts');
  const failure = failureOf(error, isCommand(words[0]) ? words[0] : undefined);
  process.exitCode = failure.exitCode;
  if (!isJson) complain(failure.message);
  else process.stderr.write(`${jsonLine({ schema: JSON_SCHEMA, kind: 'error', ...failure })}\n`);
}

function version(): string {
  const manifest = readFileSync(new URL('../../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(manifest) as { version: string }).version;
}
