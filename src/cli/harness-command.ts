import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { CommandError } from './failure.ts';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * A program of the harness, run as a process of its own: nothing in src imports the harness, and
 * the package has none.
 */
export function harnessCommand(name: string, path: string): (command: Command) => void {
  return (command) => {
    command
      .argument('[words...]', `what \`npm run ${name} --\` takes; --help lists it`)
      .helpOption(false)
      .allowUnknownOption()
      .passThroughOptions()
      .action(async (words: string[]) => {
        const program = fileURLToPath(new URL(`../../${path}`, import.meta.url));
        if (!existsSync(program)) throw new CommandError(howToGetIt(name));
        process.exitCode = await run(program, words);
      });
  };
}

function howToGetIt(name: string): string {
  return (
    `${name} is part of the harness, which the npm package does not hold. Clone the repository of tidemark, and there: ` +
    `npm ci && npm run ${name}`
  );
}

/** The child answers signals with an orderly end; this process only waits for it. */
function run(program: string, words: readonly string[]): Promise<number> {
  const child = spawn(process.execPath, [program, ...words], { stdio: 'inherit' });
  for (const signal of SIGNALS) {
    // A terminal tells both of SIGINT; a second one would end the child at once.
    process.on(signal, () => {
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
    });
  }
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
    });
  });
}
