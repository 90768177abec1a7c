import { StoreError } from '../engine/index.ts';

/** What the command's exit status says. */
export const ExitCode = {
  success: 0,
  /** Wrong words on the command line, a missing store, or one that is locked. */
  usage: 1,
  /** Something was lost or is absent, and the store can be used. */
  recoverable: 2,
  corruption: 3,
} as const;
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

const CORRUPTION: ReadonlySet<string> = new Set([
  'STORE_CORRUPT',
  'AMBIGUOUS_TAIL',
  'CRC_MISMATCH',
  'FRAME_MISMATCH',
]);

export function exitCodeOf(error: unknown): ExitCode {
  return error instanceof StoreError && CORRUPTION.has(error.code) ? ExitCode.corruption : ExitCode.usage;
}
