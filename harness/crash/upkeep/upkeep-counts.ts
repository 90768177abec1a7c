/** What histories of upkeep came to, added up. */
export interface UpkeepCounts {
  histories: number;
  steps: number;
  records: number;
  merges: number;
  backups: number;
  /** Backups into a target that held an earlier one. */
  incremental: number;
  /** Backups that died, failed or were aborted on the way. */
  interrupted: number;
  restores: number;
  salvages: number;
  verifies: number;
  exports: number;
  imports: number;
  copies: number;
  refreshes: number;
  kills: number;
  /** Directories that were damaged and then shown to everything that reads one. */
  damaged: number;
  /** Those that an opening, a scrub or a read refused. */
  noticed: number;
  /** Sound directories that everything that reads one was asked about. */
  judged: number;
  followers: number;
  recordsFollowed: number;
  /** Followers that were told `SNAPSHOT_GONE`. */
  gone: number;
}

export function noUpkeep(): UpkeepCounts {
  return {
    histories: 0,
    steps: 0,
    records: 0,
    merges: 0,
    backups: 0,
    incremental: 0,
    interrupted: 0,
    restores: 0,
    salvages: 0,
    verifies: 0,
    exports: 0,
    imports: 0,
    copies: 0,
    refreshes: 0,
    kills: 0,
    damaged: 0,
    noticed: 0,
    judged: 0,
    followers: 0,
    recordsFollowed: 0,
    gone: 0,
  };
}

export function addUpkeep(to: UpkeepCounts, more: UpkeepCounts): void {
  for (const name of Object.keys(to) as (keyof UpkeepCounts)[]) to[name] += more[name];
}
