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
    edits: [{ file: 'backup', find: 'this.listSource(end); await check', replace: 'await check' }],
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
  {
    name: 'backup-drops-seals-of-nothing',
    mistake: 'a backup leaves out the seal of a segment of which a merge has left nothing',
    edits: [
      {
        file: 'backup',
        find: 'if (stat.sizeBytes === 0 && seal?.byteLength !== 0)',
        replace: 'if (stat.sizeBytes === 0)',
      },
    ],
    checks: ['upkeep'],
  },
  {
    name: 'backup-over-another-course',
    mistake: 'a backup takes the place of one that was made before the store was put back',
    edits: [
      { file: 'backup', find: 'await checkCourse(source, target, this.turns);', replace: '' },
    ],
    checks: ['upkeep'],
  },
  {
    name: 'backup-links-its-end',
    mistake: 'the segment in which a backup ends is a link to the one that the source goes on in',
    edits: [
      {
        file: 'backup',
        find: 'this.reuse(segmentId); else await this.copySegment(segmentId, sizeBytes);',
        replace: 'this.reuse(segmentId); else linkFile(this.fileSystem, from, to);',
      },
    ],
    checks: ['upkeep'],
  },
  {
    name: 'backup-without-marker',
    mistake: 'nothing marks a backup as unfinished while it is made',
    edits: [
      {
        file: 'backup',
        find: 'placeBackupMarker(fileSystem, target, source.storeId);',
        replace:
          'placeBackupMarker(fileSystem, target, source.storeId); fileSystem.rename(join(target, BACKUP_MARKER), join(target, "no-marker"));',
      },
      {
        file: 'backup',
        find: 'removeBackupMarker(fileSystem, target);',
        replace: 'fileSystem.remove(join(target, "no-marker"));',
      },
      {
        file: 'backup',
        find: 'const marker = join(target, BACKUP_MARKER);',
        replace: 'const marker = join(target, "no-marker");',
      },
    ],
    checks: ['upkeep'],
  },
  {
    name: 'follower-takes-every-jump',
    mistake: 'a follower takes any jump of the txids for one that an opening has made',
    edits: [
      {
        file: 'follow',
        find: 'if (txid > this.nextTxid && !this.mayJump(current, txid))',
        replace: 'if (false)',
      },
    ],
    checks: ['upkeep'],
  },
  {
    name: 'salvage-loses-without-a-word',
    mistake: 'salvage lists no range that no frame covers, and asks no opening what is missing',
    edits: [
      {
        file: 'salvage-scan',
        find: "ranges.add(frame.offset, byteLength, isUnreadable ? 'unreadable' : frame.fault);",
        replace: '',
      },
      {
        file: 'salvage',
        find: 'this.contradictions.push(...(await this.refused()));',
        replace: '',
      },
    ],
    checks: ['upkeep'],
  },
  {
    name: 'scrub-passes-over-damage',
    mistake: 'a scrub goes on behind what is no frame, and does not report it',
    edits: [
      {
        file: 'verify-segment',
        find: 'this.fault(frame.offset, startOffset - frame.offset, ended);',
        replace: '',
      },
    ],
    checks: ['upkeep'],
  },
  {
    name: 'salvage-passes-over-a-gap',
    mistake: 'salvage says nothing of records that are missing where every frame is whole',
    edits: [
      { file: 'salvage', find: 'return discarded .slice(0, 1)', replace: 'return [] .slice(0, 1)' },
    ],
    checks: ['upkeep'],
  },
  {
    name: 'follower-forgets-a-gap',
    mistake: 'a follower that comes over a gap to an empty segment forgets the gap',
    edits: [
      {
        file: 'follow',
        find: 'const followsGap = this.isReplaced(current) || hasLeftGap;',
        replace: 'const followsGap = this.isReplaced(current);',
      },
    ],
    checks: ['corners'],
  },
  {
    name: 'scrub-of-a-reader-misses-its-files',
    mistake:
      'a reader whose segments were removed behind a merge says that the store has lost them',
    edits: [
      { file: 'verify-segment', find: 'checkOpened(this.segmentId, undefined);', replace: '' },
    ],
    checks: ['upkeep'],
  },
  {
    name: 'refresh-forgets-what-is-new',
    mistake: 'a refresh takes the snapshot that it has for the newest one',
    edits: [{ file: 'reader', find: 'if (await this.append()) return;', replace: 'return;' }],
    checks: ['upkeep'],
  },
];
