/** What the command's exit status says. */
export const ExitCode = {
  success: 0,
  /** Wrong words on the command line, a missing store, or one that is locked. */
  usage: 1,
  /** Something was lost or is absent, and the store can be used. */
  recoverable: 2,
  /** Damage, or bytes that the device does not give. */
  corruption: 3,
} as const;
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

const BY_ERROR_CODE: Readonly<Record<string, ExitCode>> = {
  STORE_CORRUPT: ExitCode.corruption,
  AMBIGUOUS_TAIL: ExitCode.corruption,
  CRC_MISMATCH: ExitCode.corruption,
  FRAME_MISMATCH: ExitCode.corruption,
  READ_FAILED: ExitCode.corruption,
  TORN_TAIL: ExitCode.recoverable,
  BACKUP_UNFINISHED: ExitCode.recoverable,
};

export function exitCodeOf(error: unknown): ExitCode {
  return BY_ERROR_CODE[String((error as { code?: unknown } | undefined)?.code)] ?? ExitCode.usage;
}
