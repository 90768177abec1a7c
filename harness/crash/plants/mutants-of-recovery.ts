import type { Mutant } from './mutant.ts';

/**
 * Mistakes in what an opening makes of a log.
 *
 * Not on the list, because nothing can depend on them as long as the rest is right:
 * - That the next txid lies above those in what was discarded. The jump of 2^20 from the mark leads
 *   past all of them.
 * - The order in which segments are cut, and the sync of each cut. The rewriting cuts and syncs the
 *   same segments again before the mark; until then a later segment that still has its bytes begins
 *   with a txid that is not the next one, so that the next opening cuts it as well.
 * - The second slot of the mark at open. A slot is written over until it is synced, so the first is
 *   on disk by then, and the second only removes what nobody reads.
 * - That an opening is clean only when the log ends at the mark. Whoever changes a log that was
 *   closed in order clears the flag first, or does not carry the nonce.
 */
export const RECOVERY_MUTANTS: readonly Mutant[] = [
  {
    name: 'no-truncation',
    mistake: 'a torn tail stays in the file, and new records are written over its beginning',
    edits: [
      { file: 'repair', find: 'fileSystem.truncate(file.descriptor, offset);', replace: '' },
      {
        file: 'repair',
        find: 'files.fileSystem.truncate(file.descriptor, sizeBytes);',
        replace: '',
      },
    ],
    checks: ['states'],
  },
  {
    name: 'append-after-garbage',
    mistake: 'a torn tail stays in the file, and new records are appended behind it',
    edits: [
      { file: 'repair', find: 'fileSystem.truncate(file.descriptor, offset);', replace: '' },
      {
        file: 'repair',
        find: 'files.fileSystem.truncate(file.descriptor, sizeBytes);',
        replace: '',
      },
      {
        file: 'log-opening',
        find: 'active.segmentId, active.sizeBytes)',
        replace:
          "active.segmentId, fileSystem.stat(directory + '/' + String(active.segmentId).padStart(8, '0') + '.dwal').sizeBytes)",
      },
    ],
    checks: ['states'],
  },
  {
    name: 'later-segments-not-emptied',
    mistake: 'only the damaged segment is cut; those behind it keep their bytes',
    edits: [
      {
        file: 'repair',
        find: '[...scan.discarded].reverse()',
        replace: 'scan.discarded.slice(0, 1)',
      },
      {
        file: 'repair',
        find: 'files.fileSystem.truncate(file.descriptor, sizeBytes);',
        replace: 'if (sizeBytes > 0) files.fileSystem.truncate(file.descriptor, sizeBytes);',
      },
    ],
    checks: ['states'],
  },
  {
    name: 'missing-segment-not-recreated',
    mistake: 'an id that is missing behind the damage is left out',
    edits: [{ file: 'repair', find: 'of scan.missingIds)', replace: 'of [])' }],
    checks: ['corners'],
  },
  {
    name: 'no-rewrite',
    mistake: 'kept bytes that no sync had covered are trusted as they stand in the page cache',
    edits: [
      {
        file: 'log-opening',
        find: 'const bytesRewritten = clean ? 0 :',
        replace: 'const bytesRewritten = 0 && ',
      },
    ],
    checks: ['states'],
  },
  {
    name: 'sync-instead-of-rewrite',
    mistake: 'kept bytes are synced once more instead of written once more',
    edits: [
      {
        file: 'repair',
        find: 'file.write(chunk, at);',
        replace: '',
      },
    ],
    checks: ['states'],
  },
  {
    name: 'rewrite-not-synced',
    mistake:
      'kept bytes are written once more, and the mark moves past them before they are synced',
    edits: [
      {
        file: 'repair',
        find: 'files.fileSystem.truncate(file.descriptor, sizeBytes); file.sync();',
        replace: 'files.fileSystem.truncate(file.descriptor, sizeBytes);',
      },
    ],
    checks: ['states'],
  },
  {
    name: 'txids-reused',
    mistake: 'after a crash the next txid is one above the last that is left',
    edits: [{ file: 'log-opening', find: '(clean ? 1 : TXID_JUMP)', replace: '1' }],
    checks: ['states'],
  },
  {
    name: 'txids-of-mark-forgotten',
    mistake: 'the txids that the mark has set aside are given out again',
    edits: [{ file: 'log-opening', find: '(previous?.mark.nextTxid ?? 1) - 1', replace: '0' }],
    checks: ['states'],
  },
  {
    name: 'empty-segments-removed-at-once',
    mistake: 'of several empty segments in front a power cut may remove the second alone',
    edits: [
      {
        file: 'repair',
        find: 'fileSystem.remove(segmentPath(directory, segmentId)); fileSystem.directorySync(directory);',
        replace: 'fileSystem.remove(segmentPath(directory, segmentId));',
      },
    ],
    checks: ['states'],
  },
  {
    name: 'empty-segments-removed-before-mark',
    mistake: 'empty segments in front are removed before the mark has moved past them',
    edits: [
      {
        file: 'log-opening',
        find: 'mark.writeBoth(active.segmentId, active.sizeBytes, nextTxid);',
        replace: '',
      },
      {
        file: 'log-opening',
        find: 'const { removed, seals: sealsLeft } = await removeLeadingEmpty(files, segments, seals, turns);',
        replace:
          'const { removed, seals: sealsLeft } = await removeLeadingEmpty(files, segments, seals, turns); fileSystem.directorySync(directory); mark.writeBoth(active.segmentId, active.sizeBytes, nextTxid);',
      },
    ],
    checks: ['corners'],
  },
  {
    name: 'clean-flag-not-cleared',
    mistake: 'an opening leaves the flag that says that the log was closed in order',
    edits: [
      {
        file: 'durable-mark',
        find: 'this.write(segmentId, offset, nextTxid, false);',
        replace: 'this.write(segmentId, offset, nextTxid, true);',
      },
    ],
    checks: ['states'],
  },
  {
    name: 'mark-slot-checksum-skipped',
    mistake: 'a torn slot of the mark is believed',
    edits: [
      {
        file: 'slot-file',
        find: 'if (crc32c(block.subarray(0, crcAt)) !== readUint32(block, crcAt)) return undefined;',
        replace: '',
      },
    ],
    checks: ['states'],
  },
  {
    name: 'oldest-mark-slot',
    mistake: 'of two valid slots the older one counts',
    edits: [
      {
        file: 'slot-file',
        find: 'slots.sort((a, b) => b.sequence - a.sequence);',
        replace: 'slots.sort((a, b) => a.sequence - b.sequence);',
      },
    ],
    checks: ['states'],
  },
  {
    name: 'mark-ignored-in-verdict',
    mistake: 'damage to what is durable is judged as if it were a torn tail',
    edits: [
      {
        file: 'recovery',
        find: "this.isDurable(segmentId, offset, damage) ? 'durable'",
        replace: "false ? 'durable'",
      },
    ],
    checks: ['corners', 'corpus'],
  },
  {
    name: 'foreign-writer-not-noticed',
    mistake: 'the mark is trusted although another program has written since',
    edits: [
      {
        file: 'recovery',
        find: 'this.witnessed = options.witnessed && options.mark !== undefined;',
        replace: 'this.witnessed = options.mark !== undefined;',
      },
    ],
    checks: ['corners', 'corpus'],
  },
  {
    name: 'everybody-is-foreign',
    mistake: 'the mark is never trusted beyond its own place',
    edits: [
      {
        file: 'recovery',
        find: 'this.witnessed = options.witnessed && options.mark !== undefined;',
        replace: 'this.witnessed = false;',
      },
    ],
    checks: ['states'],
  },
  {
    name: 'two-segments-back-not-trusted',
    mistake: 'damage in a segment whose successor is full is taken for a torn tail',
    edits: [
      {
        file: 'recovery-verdict',
        find: "witnessed && place === 'two-behind'",
        replace: "false && witnessed && place === 'two-behind'",
      },
    ],
    checks: ['corners', 'corpus'],
  },
  {
    name: 'end-before-mark-not-noticed',
    mistake: 'a log that ends before the mark is taken as whole',
    edits: [
      {
        file: 'recovery',
        find: "return markOffset === undefined || frame.offset >= markOffset ? 'end' : 'ends-before-mark';",
        replace: "return 'end';",
      },
    ],
    checks: ['corners', 'corpus'],
  },
  {
    name: 'missing-segment-not-noticed',
    mistake: 'the ids of segments need not follow each other',
    edits: [
      { file: 'recovery', find: 'if (segment.segmentId !== expectedId)', replace: 'if (false)' },
    ],
    checks: ['corpus', 'states'],
  },
  {
    name: 'txid-order-not-checked',
    mistake: 'a record may repeat an earlier txid',
    edits: [
      {
        file: 'recovery',
        find: "if (frame.txid <= this.lastTxid) return 'txid-not-increasing';",
        replace: '',
      },
    ],
    checks: ['corners', 'corpus'],
  },
  {
    name: 'txid-gap-not-noticed',
    mistake:
      'after the mark a record may have any higher txid, and so be one that was given up long ago',
    edits: [
      {
        file: 'recovery',
        find: 'if (this.expectedTxid === undefined || frame.txid === this.expectedTxid)',
        replace: 'if (true)',
      },
    ],
    checks: ['corpus', 'states'],
  },
  {
    name: 'quarantine-directory-not-synced',
    mistake: 'the name of the quarantine is left to chance',
    edits: [
      {
        file: 'quarantine',
        find: 'fileSystem.directorySync(directory);',
        replace: '',
      },
    ],
    checks: ['states'],
  },
  {
    name: 'quarantined-bytes-not-synced',
    mistake: 'discarded bytes are cut off before their copy is durable',
    edits: [{ file: 'quarantine', find: 'copy.sync();', replace: '' }],
    checks: ['states'],
  },
  {
    name: 'quarantined-name-not-synced',
    mistake: 'discarded bytes are cut off before the name of their copy is durable',
    edits: [
      {
        file: 'quarantine',
        find: 'fileSystem.rename(temporary, path); fileSystem.directorySync(folder);',
        replace: 'fileSystem.rename(temporary, path);',
      },
    ],
    checks: ['states'],
  },
  {
    name: 'found-copy-trusted',
    mistake: 'a copy of discarded bytes that is there already is taken to be durable',
    edits: [
      {
        file: 'quarantine',
        find: 'fileSystem.directorySync(folder); return { ...range, quarantinePath: path }; } const temporary',
        replace: 'return { ...range, quarantinePath: path }; } const temporary',
      },
    ],
    checks: ['states'],
  },
  {
    name: 'scan-leaks-descriptors',
    mistake: 'recovery does not close the segments that it has scanned',
    edits: [
      {
        file: 'recovery',
        find: "await files.use(segmentPath(files.directory, segmentId), 'read', async (file) => {",
        replace:
          "await (async (path, mode, work) => work(files.open(path, mode)))(segmentPath(files.directory, segmentId), 'read', async (file) => {",
      },
    ],
    checks: ['states'],
  },
];
