import { ExitCode } from '../exit-code.ts';

/** The run never began, or not further than an opening that failed. */
export class Refusal extends Error {
  readonly exitCode: ExitCode;

  constructor(message: string, exitCode: ExitCode = ExitCode.usage) {
    super(message);
    this.exitCode = exitCode;
  }
}
