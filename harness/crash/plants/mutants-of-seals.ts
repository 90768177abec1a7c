import type { Mutant } from './mutant.ts';

/**
 * Mistakes in seal files: in how they are written, and in what an opening believes of them.
 *
 * Not on the list, because nothing can depend on them as long as the rest is right:
 * - The sync of a seal before it gets its name, and the sync of the directory after. A seal that a
 *   power cut has hurt is not believed, and one that it took is missed by nobody: the next opening
 *   reads the segment, and writes another.
 * - The length of a seal file. Its checksum goes to the end of the file, wherever that is.
 * - That a segment is shorter than its seal says. Its ends are others then; only the message would
 *   be another.
 */
export const SEAL_MUTANTS: readonly Mutant[] = [
  {
    name: 'sealed-before-durable',
    mistake: 'the seal of a segment is written beside the sync of the segment, not after it',
    edits: [
      {
        file: 'log-sync',
        find: 'this.rotated.push({ writer, end, durable: false });',
        replace:
          'this.rotated.push({ writer, end, durable: false }); this.options.sealer.add(writer);',
      },
      {
        file: 'log-sync',
        find: 'if (marked) this.options.sealer.add',
        replace: 'if (false) this.options.sealer.add',
      },
    ],
    checks: ['corners'],
  },
  {
    name: 'failed-sync-of-seal-forgotten',
    mistake:
      'a sync of the directory that failed for a seal does not poison, although it may have been for a segment',
    edits: [
      {
        file: 'segment-sealer',
        find: "throw latch.close('SYNC_FAILED', 'the sync of a seal file', error);",
        replace: 'throw error;',
      },
    ],
    checks: ['corners'],
  },
  {
    name: 'seal-header-checksum-skipped',
    mistake: 'the header of a damaged seal is believed',
    edits: [
      {
        file: 'seal-file',
        find: 'if (crc32c(header.subarray(0, HEADER_CRC_AT)) !== readUint32(header, HEADER_CRC_AT)) return undefined;',
        replace: '',
      },
    ],
    checks: ['corners'],
  },
  {
    name: 'seal-hints-checksum-skipped',
    mistake: 'damaged hints are believed',
    edits: [
      {
        file: 'seal-file',
        find: "whole && crc === seal.hintsCrc ? seal : 'damaged'",
        replace: 'seal',
      },
    ],
    checks: ['corners'],
  },
  {
    name: 'seal-id-not-checked',
    mistake: 'a seal that was copied over that of another segment is believed',
    edits: [{ file: 'seal-set', find: 'if (seal.segmentId !== segmentId)', replace: 'if (false)' }],
    checks: ['corners'],
  },
  {
    name: 'seal-store-not-checked',
    mistake: 'the seal of another store is believed',
    edits: [{ file: 'seal-set', find: '!seal.storeId.equals(owner)', replace: 'false' }],
    checks: ['corners'],
  },
  {
    name: 'seal-predecessor-not-checked',
    mistake:
      'it is not noticed that another segment stands before this one than did when it was sealed',
    edits: [
      {
        file: 'seal-check',
        find: 'return before.identity.equals(predecessorIdentity);',
        replace: 'return true;',
      },
    ],
    checks: ['corners'],
  },
  {
    name: 'seal-first-segment-not-checked',
    mistake: 'it is not noticed that segments in front of a sealed one are gone',
    edits: [{ file: 'seal-check', find: 'if (firstId <= lowestId) return false;', replace: '' }],
    checks: ['corners'],
  },
  {
    name: 'sealed-segment-not-looked-at',
    mistake:
      'the bytes of a sealed segment are not compared with its seal, neither at its ends nor in full',
    edits: [
      {
        file: 'seal-check',
        find: "return holds ? undefined : 'contradicts-seal';",
        replace: 'return undefined;',
      },
    ],
    checks: ['corners'],
  },
  {
    name: 'seal-covers-what-came-after',
    mistake: 'what another program has appended to a sealed segment is not read',
    edits: [
      { file: 'recovery', find: '|| segment.sizeBytes > seal.byteLength)', replace: '|| false)' },
    ],
    checks: ['corners', 'corpus'],
  },
  {
    name: 'seals-prove-no-durability',
    mistake: 'the last seal says nothing of what was durable when the mark is gone',
    edits: [
      {
        file: 'recovery',
        find: 'laterOf(this.mark ?? { segmentId: 0, offset: 0 }, this.sealedEnd())',
        replace: 'laterOf(this.mark ?? { segmentId: 0, offset: 0 }, { segmentId: 0, offset: 0 })',
      },
    ],
    checks: ['corners', 'corpus'],
  },
  {
    name: 'seal-txids-forgotten',
    mistake: 'the txids that a seal tells of are given out again when the mark is gone',
    edits: [
      {
        file: 'recovery',
        find: 'if (seal.lastTxid !== 0) this.lastTxid = seal.lastTxid;',
        replace: '',
      },
    ],
    checks: ['corners', 'corpus'],
  },
  {
    name: 'tombstone-hints-ignored',
    mistake: 'replay of a seal does not apply deletes',
    edits: [
      {
        file: 'keydir-shard',
        find: 'if (at !== -1) this.bury(slot);',
        replace: '',
      },
    ],
    checks: ['corners'],
  },
  {
    name: 'stale-seals-left',
    mistake: 'empty segments in front are removed, and the seals that say that they are there stay',
    edits: [
      {
        file: 'repair',
        find: 'fileSystem.remove(sealPath(directory, segmentId));',
        replace: '',
      },
    ],
    checks: ['states'],
  },
  {
    name: 'stale-seals-not-gone-first',
    mistake:
      'empty segments in front may be gone while the seals that say that they are there are not',
    edits: [
      {
        file: 'repair',
        find: 'fileSystem.remove(sealPath(directory, segmentId));\n        fileSystem.directorySync(directory);',
        replace: 'fileSystem.remove(sealPath(directory, segmentId));',
      },
    ],
    checks: ['states'],
  },
  {
    name: 'stale-seals-first-to-last',
    mistake:
      'of the seals of empty segments in front the first goes first, which the next one names',
    edits: [{ file: 'repair', find: 'stale.toReversed()', replace: 'stale' }],
    checks: ['corners'],
  },
];
