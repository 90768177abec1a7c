import type { Mutant } from './mutant.ts';

/**
 * Mistakes in the order of a merge's steps, in which records it leaves out, and in what an opening
 * makes of one that was interrupted.
 *
 * Not on the list, because nothing can depend on them as long as the rest is right:
 * - The sync of the directory between the last name of the output's seal and the emptying of what
 *   it covers. The output is in its place by then, and its seal says what it covers under the one
 *   name as under the other.
 * - The second and the third sync of the directory by an opening that finishes a merge: the second
 *   for the same reason, the third because the directory is synced again before the mark, and
 *   before anything is removed.
 * - A Put that is copied although a newer one of its key is live: the newer one comes later. Only
 *   beside a Delete that is left out does it come back, and that is on the list.
 */
export const MERGE_MUTANTS: readonly Mutant[] = [
  {
    name: 'merge-copy-not-synced',
    mistake: 'the output of a merge takes the place of a segment before its bytes are durable',
    edits: [{ file: 'merge', find: 'await copy.syncAsync();', replace: '' }],
    checks: ['states'],
  },
  {
    name: 'merge-seal-not-synced',
    mistake: 'the seal of a merge is published before its bytes are durable',
    edits: [{ file: 'merge', find: 'await sealFile.syncAsync();', replace: '' }],
    checks: ['states'],
  },
  {
    name: 'merge-log-not-settled',
    mistake: 'a record is left out because of a newer one that no sync has covered',
    edits: [{ file: 'publish-merge', find: 'await log.syncs.settle();', replace: '' }],
    checks: ['corners'],
  },
  {
    name: 'merge-settles-mark-only',
    mistake: 'a merge writes both slots of the mark, and syncs no record',
    edits: [
      {
        file: 'log-sync',
        find: 'await this.commits.join(); const { mark, latch } = this.options; try {',
        replace: 'const { mark, latch } = this.options; try {',
      },
    ],
    checks: ['corners'],
  },
  {
    name: 'merge-leaves-an-old-mark',
    mistake: 'before a merge only one slot of the mark is brought up to date',
    edits: [{ file: 'log-sync', find: 'slot < SLOT_COUNT; slot++', replace: 'slot < 0; slot++' }],
    checks: ['corners'],
  },
  {
    name: 'merge-name-not-synced',
    mistake: 'the output is renamed into place before the name of its seal is durable',
    edits: [
      {
        file: 'publish-merge',
        find: 'await syncDirectory(log); check(); const files',
        replace: 'check(); const files',
      },
    ],
    checks: ['states'],
  },
  {
    name: 'merge-output-before-seal',
    mistake: 'the output is renamed into place first, and its seal then',
    edits: [
      {
        file: 'publish-merge',
        find: 'fileSystem.rename(sealPath(directory, segmentId, MERGE_TEMPORARY_SUFFIX), sealPath(directory, segmentId, MERGE_SUFFIX)); await syncDirectory(log); check();',
        replace: 'check();',
      },
      {
        file: 'publish-merge',
        find: 'try { await switchOver(log, keydir, merge); }',
        replace:
          'fileSystem.rename(sealPath(directory, segmentId, MERGE_TEMPORARY_SUFFIX), sealPath(directory, segmentId, MERGE_SUFFIX)); try { await switchOver(log, keydir, merge); }',
      },
    ],
    checks: ['corners'],
  },
  {
    name: 'merge-seal-named-too-early',
    mistake: 'the seal of the output gets its last name before the output is durable in its place',
    edits: [
      {
        file: 'publish-merge',
        find: 'await syncDirectory(log); log.holdings.endMerge(idsOf(merge)); await moveKeys(log, keydir, merge, turns);',
        replace: 'log.holdings.endMerge(idsOf(merge)); await moveKeys(log, keydir, merge, turns);',
      },
    ],
    checks: ['states'],
  },
  {
    name: 'merge-empties-too-early',
    mistake: 'the absorbed segments are emptied before the output is durable in its place',
    edits: [
      {
        file: 'publish-merge',
        find: 'await syncDirectory(log); log.holdings.endMerge(idsOf(merge)); await moveKeys(log, keydir, merge, turns);',
        replace: 'log.holdings.endMerge(idsOf(merge)); await moveKeys(log, keydir, merge, turns);',
      },
      {
        file: 'publish-merge',
        find: 'await syncDirectory(log); latch.check(); for',
        replace: 'latch.check(); for',
      },
    ],
    checks: ['states'],
  },
  {
    name: 'merge-does-not-swap',
    mistake: 'the keydir still points to the old files when they are closed',
    edits: [
      { file: 'publish-merge', find: 'await moveKeys(log, keydir, merge, turns);', replace: '' },
    ],
    checks: ['corners'],
  },
  {
    name: 'merge-swaps-too-early',
    mistake: 'the keydir points to the output before it stands in its place',
    edits: [
      {
        file: 'publish-merge',
        find: 'await moveKeys(log, keydir, merge, turns); latch.check();',
        replace: 'latch.check();',
      },
      {
        file: 'publish-merge',
        find: 'await syncDirectory(log); check(); const files',
        replace:
          'await moveKeys(log, keydir, merge, new Turns(1)); await syncDirectory(log); check(); const files',
      },
    ],
    checks: ['corners'],
  },
  {
    name: 'swap-overrides-newer',
    mistake: 'the keydir is pointed to the copy of a record although a newer one came meanwhile',
    edits: [{ file: 'keydir', find: 'if (!from.has(this.replaced.file)) return;', replace: '' }],
    checks: ['corners'],
  },
  {
    name: 'merge-does-not-pin',
    mistake: 'a get during the swap opens the new file where it wants the old one',
    edits: [{ file: 'publish-merge', find: 'reader.pin(file);', replace: 'void file;' }],
    checks: ['corners'],
  },
  {
    name: 'merge-does-not-unpin',
    mistake: 'descriptors stay on files that a merge has deleted',
    edits: [
      {
        file: 'publish-merge',
        find: 'reader.drop(id); await unpinAll(log, held);',
        replace: 'reader.drop(id);',
      },
    ],
    checks: ['corners'],
  },
  {
    name: 'merge-forgets-scans',
    mistake: 'a scan that goes on across a merge reads the new files as if they were the old ones',
    edits: [
      {
        file: 'publish-merge',
        find: 'log.scans.openAhead(merge.run.map(({ segmentId: id }) => id));',
        replace: '',
      },
    ],
    checks: ['corners'],
  },
  {
    name: 'absorbed-seals-left',
    mistake: 'the seals of segments that were merged away stay',
    edits: [
      {
        file: 'unfinished-work',
        find: 'if (fileSystem.stat(seal) !== undefined) fileSystem.remove(seal);',
        replace: '',
      },
    ],
    checks: ['corners'],
  },
  {
    name: 'merge-drops-every-delete',
    mistake:
      'a merge leaves out every Delete, also where an older Put may stand in a lower segment',
    edits: [
      {
        file: 'merge',
        find: 'segmentId !== this.lowestId && !this.keydir.hasAt(bytes, keyAt, keyAt + keyLength)',
        replace: 'false',
      },
    ],
    checks: ['corners'],
  },
  {
    name: 'merge-drops-deletes-of-first-input',
    mistake: 'a merge leaves out the Deletes of its first segment, be it the lowest of all or not',
    edits: [
      {
        file: 'merge',
        find: 'segmentId !== this.lowestId &&',
        replace: 'segmentId !== this.segments[0].segmentId &&',
      },
    ],
    checks: ['corners'],
  },
  {
    name: 'merge-copies-dead-puts',
    mistake:
      'a merge copies Puts that were overwritten or deleted, but not all Deletes behind them',
    edits: [
      // So that the compaction still comes to an end.
      { file: 'merge', find: 'usage.putBytes = this.putBytes;', replace: '' },
      {
        file: 'merge',
        find: 'return this.keydir.isLive(bytes, keyAt, keyAt + keyLength, file, frame.offset);',
        replace: 'return true;',
      },
    ],
    checks: ['corners'],
  },
  {
    name: 'merge-drops-raw',
    mistake: 'a merge leaves out Raw records',
    edits: [
      {
        file: 'merge',
        find: 'case RecordType.Raw: return true;',
        replace: 'case RecordType.Raw: return false;',
      },
    ],
    checks: ['corners'],
  },
  {
    name: 'merge-skips-damage',
    mistake: 'a merge ends a damaged segment where the damage begins',
    edits: [
      {
        file: 'merge',
        find: "if (state === 'damaged') throw this.damaged(segmentId, frame);",
        replace: "if (state === 'damaged') break;",
      },
    ],
    checks: ['corners'],
  },
  {
    name: 'merge-changes-identity',
    mistake:
      'the output of a merge is taken for another segment than the one that the next was sealed after',
    edits: [{ file: 'merge', find: 'identity: last.identity,', replace: '' }],
    checks: ['states'],
  },
  {
    name: 'merge-does-not-say-what-it-covers',
    mistake:
      'the seal of an output covers its own id only, so that what is left of the others is replayed',
    edits: [
      { file: 'merge', find: 'firstId: first.firstId,', replace: 'firstId: this.segmentId,' },
    ],
    checks: ['corners'],
  },
  {
    name: 'merge-forgets-last-txid',
    mistake:
      'the seal of an output tells of the txids that are left in it, not of those that were there',
    edits: [
      {
        file: 'merge',
        find: 'lastTxid: Math.max(...seals.map(({ lastTxid }) => lastTxid)),',
        replace: '',
      },
    ],
    checks: ['corners'],
  },
  {
    name: 'merge-failure-does-not-poison',
    mistake:
      'a merge that fails once its output is in place only throws, and is undone where it no longer can be',
    edits: [
      {
        file: 'publish-merge',
        find: "throw log.latch.close('WRITE_FAILED', 'the merge', error);",
        replace: 'throw error;',
      },
    ],
    checks: ['corners'],
  },
  {
    name: 'merge-undone-by-poisoned-writer',
    mistake: 'a merge that poisons removes the seal of the output that is in place',
    edits: [
      {
        file: 'merge',
        find: 'if (log.poisonedBy === undefined) this.removeTemporaries();',
        replace: 'this.removeTemporaries();',
      },
    ],
    checks: ['corners'],
  },
  {
    name: 'merge-sync-failure-forgotten',
    mistake:
      'a sync of the directory that failed for a merge does not poison, although it may have been for a segment',
    edits: [
      {
        file: 'publish-merge',
        find: "throw latch.close('SYNC_FAILED', 'the sync of a merge', error);",
        replace: 'throw error;',
      },
    ],
    checks: ['corners'],
  },
  {
    name: 'merge-leaves-temporaries',
    mistake: 'a merge that ends early leaves what it has written',
    edits: [
      {
        file: 'merge',
        find: 'if (log.poisonedBy === undefined) this.removeTemporaries();',
        replace: '',
      },
    ],
    checks: ['corners'],
  },
  {
    name: 'merge-without-room',
    mistake: 'a merge begins although there is no room for its output',
    edits: [
      {
        file: 'merge',
        find: 'async run() { const { log, keydir, segments } = this; this.checkSpace();',
        replace: 'async run() { const { log, keydir, segments } = this;',
      },
    ],
    checks: ['corners'],
  },
  {
    name: 'interrupted-merge-always-undone',
    mistake: 'an opening undoes a merge although its output is in place',
    edits: [
      {
        file: 'unfinished-work',
        find: '?.equals(digest) ?? false',
        replace: '?.equals(digest) && false',
      },
    ],
    checks: ['corners'],
  },
  {
    name: 'interrupted-merge-judged-by-length',
    mistake:
      'an opening finishes a merge when the segment has the length of the output, whatever is in it',
    edits: [
      { file: 'unfinished-work', find: '?.equals(digest) ?? false', replace: '!== undefined' },
    ],
    checks: ['corners'],
  },
  {
    name: 'absorbed-segments-replayed',
    mistake: 'an opening reads the segments that an interrupted merge had already absorbed',
    edits: [
      {
        file: 'unfinished-work',
        find: 'covered.has(segment.segmentId) ? { ...segment, sizeBytes: 0 } : segment',
        replace: 'segment',
      },
    ],
    checks: ['corners'],
  },
  {
    name: 'merge-finished-without-sync',
    mistake: 'an opening finishes a merge whose output a power cut can still take out of its place',
    edits: [
      {
        file: 'unfinished-work',
        find: 'fileSystem.directorySync(directory); for (const { segmentId, firstId } of unnamed)',
        replace: 'for (const { segmentId, firstId } of unnamed)',
      },
    ],
    checks: ['corners'],
  },
  {
    name: 'merge-leftovers-not-removed',
    mistake: 'what a killed merge has left stays',
    edits: [
      { file: 'unfinished-work', find: 'fileSystem.remove(join(directory, name));', replace: '' },
    ],
    checks: ['corners'],
  },
  {
    name: 'merge-counts-live-twice',
    mistake: 'the bytes that live are counted twice where a merge puts them',
    edits: [
      {
        file: 'keydir',
        find: 'this.usage.of(toFile).liveBytes += byteLength;',
        replace: 'this.usage.of(toFile).liveBytes += 2 * byteLength;',
      },
    ],
    checks: ['corners'],
  },
  {
    name: 'merge-counts-no-deletes',
    mistake: 'the Deletes of an output are not counted',
    edits: [{ file: 'merge', find: 'usage.deleteBytes = this.deleteBytes;', replace: '' }],
    checks: ['corners'],
  },
];
