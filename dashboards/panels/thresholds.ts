/**
 * The values at which an alert fires and at which a panel changes its colour: one place, so that
 * they cannot differ.
 */
export const THRESHOLDS = {
  /** The limit of the 99th percentile of syncs over five minutes. */
  syncP99Seconds: 0.25,
  /** Since the last sync, while something is not yet durable. */
  durableLagSeconds: 300,
  /** Dead bytes over all bytes of segments. */
  garbageRatio: 0.6,
  /** A store smaller than this is not worth a compaction. */
  garbageLeastBytes: 64 * 1024 * 1024,
  /**
   * More than the default pool of 16 read descriptors and the few that a writer holds: a pool that
   * fills is no leak.
   */
  descriptorGrowth: 24,
  /** RSS beyond what the keydir explains. */
  memorySlopeBytesPerHour: 32 * 1024 * 1024,
  /** Share of the time that writes stand still. */
  writeStallRatio: 0.05,
  /** Mean of the openings of a process. */
  recoverySeconds: 30,
  /** Openings within an hour that found the store not closed in order. */
  recoveriesPerHour: 3,
  /** Share of the spans asked for that the budget left out. */
  spanDropRatio: 0.01,
  /** What `predict_linear` says of the fullest file system a day from now. */
  diskAvailableBytes: 0,
} as const;
