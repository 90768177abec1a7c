/** What the exit status of a harness says, the same for all of them. */
export const ExitCode = {
  pass: 0,
  /** Data was lost, wrong or invented, or the store failed. */
  broken: 1,
  /**
   * Wrong words on the command line, or an adapter, input or directory that cannot be used. Nothing
   * was judged.
   */
  usage: 2,
  /** Something outside the store ended the run before it could be judged. */
  inconclusive: 3,
  /** Everything was right, and a threshold was crossed. */
  threshold: 99,
  /** 128 + SIGINT, after an orderly stop and a report. */
  interrupted: 130,
  /** 128 + SIGTERM, likewise. */
  terminated: 143,
} as const;
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];
