#!/usr/bin/env node
import { Command, CommanderError } from 'commander';
import { ExitCode } from '../harness/exit-code.ts';
import { COMMAND_OUTPUT, print, watchStandardStreams } from '../harness/standard-streams.ts';
import { check } from './check/check.ts';
import { writeGenerated } from './generated/generated-files.ts';

watchStandardStreams('dashboards');

const command = new Command('npm run dashboards --')
  .configureOutput(COMMAND_OUTPUT)
  .description('Grafana dashboards, Prometheus rules and alerts, from code.')
  .addHelpText(
    'after',
    `
Exit status:
  0        everything is as it should be
  1        a panel is empty or not a number, an alert does not fire, or a metric does not exist
  2        a wrong option, or a program that is missing
  3        inconclusive: something outside ended the check
  130 143  interrupted`,
  )
  .exitOverride();

command
  .command('generate')
  .description('write the JSON and YAML under dashboards/ anew')
  .action(() => {
    for (const path of writeGenerated('dashboards')) print(`${path}`);
  });

command
  .command('check')
  .description(
    'prove every panel, rule and alert against a real Prometheus and stores, on loopback; two minutes',
  )
  .option('--screenshots <directory>', 'draw the dashboards from what was queried, with Chromium')
  .action(async (options: { screenshots?: string }) => {
    process.exitCode = await check(options);
  });

for (const [signal, code] of [
  ['SIGINT', ExitCode.interrupted],
  ['SIGTERM', ExitCode.terminated],
] as const) {
  // Children that would outlive this process are killed on exit.
  process.once(signal, () => process.exit(code));
}

try {
  await command.parseAsync(process.argv.slice(2), { from: 'user' });
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  process.exitCode = error.exitCode === 0 ? ExitCode.pass : ExitCode.usage;
}
