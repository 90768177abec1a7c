import { printableText } from '../engine/index.ts';
import { ExitCode } from './exit-code.ts';

/** One line on standard error, whatever the text holds. */
export function complain(text: string): void {
  process.stderr.write(`tidemark: ${printableText(text)}\n`);
}

/**
 * Whoever reads the output may close the pipe when it has seen enough: that is no failure. Output
 * that could not be written for any other reason, to a full disk, was never told: then the exit
 * status does not say that all is well, whoever wrote it.
 */
export function watchStandardStreams(): void {
  let lost: NodeJS.ErrnoException | undefined;
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') lost ??= error;
  });
  process.stderr.on('error', () => {});
  process.on('exit', (code) => {
    if (lost === undefined || code !== ExitCode.success) return;
    complain(`standard output cannot be written: ${lost.message}`);
    process.exitCode = ExitCode.usage;
  });
}
