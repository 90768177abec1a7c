import { printableText } from '../src/engine/index.ts';
import { ExitCode } from './exit-code.ts';

/** A line, or several, to standard output. What is not printable is escaped. */
export function print(text: string): void {
  process.stdout.write(`${printableLines(text)}\n`);
}

/** The same to standard error. */
export function complain(text: string): void {
  process.stderr.write(`${printableLines(text)}\n`);
}

/** Only line feeds and tabs mean something. */
export function printableLines(text: string): string {
  return text.replace(/[^\n\t]+/g, printableText);
}

/** The argument of commander's `configureOutput`: it quotes what it was given. */
export const COMMAND_OUTPUT = {
  writeOut: (text: string) => void process.stdout.write(printableLines(text)),
  writeErr: (text: string) => void process.stderr.write(printableLines(text)),
};

/**
 * A program calls it first. Whoever reads the output may close the pipe when it has seen enough
 * (`| head`): that ends nothing. Output that could not be written for any other reason, to a full
 * disk, was never told: the program then does not say by its exit status that all is well.
 */
export function watchStandardStreams(program: string): void {
  let lost: NodeJS.ErrnoException | undefined;
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') lost ??= error;
  });
  process.stderr.on('error', () => {});
  process.on('exit', (code) => {
    if (lost === undefined) return;
    complain(`${program}: standard output cannot be written: ${lost.message}`);
    if (code === 0) process.exitCode = ExitCode.inconclusive;
  });
}
