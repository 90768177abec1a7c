import type { Mutant } from './mutant.ts';

/** Mistakes in backups that are no copies, and in followers. */
export const UPKEEP_MUTANTS: readonly Mutant[] = [
  {
    name: 'backup-links-a-link',
    mistake: 'a backup gets one more name for a symbolic link, and not for what it leads to',
    edits: [
      {
        file: 'node-file-system',
        find: 'if (!fs.lstatSync(path).isSymbolicLink()) return;',
        replace: 'return;',
      },
    ],
    checks: ['corners'],
  },
  {
    name: 'backup-keeps-links',
    mistake: 'a link that stands in an earlier backup is taken for the segment that it leads to',
    edits: [{ file: 'backup', find: 'removeLinks(fileSystem, target);', replace: '' }],
    checks: ['corners'],
  },
  {
    name: 'backup-marks-before-it-looks',
    mistake: 'a backup that cannot be made leaves the earlier one marked as unfinished',
    edits: [{ file: 'backup', find: 'this.listSource(end); prepare', replace: 'prepare' }],
    checks: ['corners'],
  },
  {
    name: 'backup-looks-once-at-its-target',
    mistake: 'what another process put into the target before the marker was there is replaced',
    edits: [
      {
        file: 'backup',
        find: 'checkBackupTarget(source, target, end); return await',
        replace: 'return await',
      },
    ],
    checks: ['corners'],
  },
  {
    name: 'follower-trusts-names',
    mistake: 'a follower does not compare the file that it holds with its name',
    edits: [
      {
        file: 'follow',
        find: 'return named?.inode !== held.inode || named.device !== held.device;',
        replace: 'return false;',
      },
    ],
    checks: ['corners'],
  },
  {
    name: 'follower-returns-late',
    mistake: 'the return of an idle follower waits for the next record',
    edits: [
      {
        file: 'follow',
        find: 'this.ending.abort(RETURNED); return this.records.return(undefined);',
        replace: 'return this.records.return(undefined);',
      },
    ],
    checks: ['corners'],
  },
  {
    name: 'follower-outlives-its-reader',
    mistake: 'a reader that is closed leaves the files of its followers open',
    edits: [
      {
        file: 'follow',
        find: 'ending.abort(reason); follower.close();',
        replace: 'ending.abort(reason);',
      },
    ],
    checks: ['corners'],
  },
];
