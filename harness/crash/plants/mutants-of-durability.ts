import type { Mutant } from './mutant.ts';

/**
 * Syncs that are missing, come too late, or are believed although they failed.
 *
 * Not on the list, because nothing can depend on them as long as the rest is right:
 * - The sync of the first segment, which is empty then: its name is what counts, and the directory
 *   is synced after it.
 * - The sync of the preallocated mark file: the first mark is synced in the same file before
 *   anybody relies on it.
 * - The sync of the directory for a new `.lock`: the directory is synced again before the first
 *   mark.
 * - The sync of the mark by a rotation that had to wait: the commit that the rotation asks for
 *   syncs it again before anything is acknowledged, and a mark may lag until then.
 * - That a mark waits while another is being synced. Whoever writes one meanwhile blocks until it
 *   is synced, too, except at the limit of unsynced records.
 */
export const DURABILITY_MUTANTS: readonly Mutant[] = [
  {
    name: 'sealed-not-synced',
    mistake: 'a sync covers only the active segment, not the sealed ones before it',
    edits: [
      {
        file: 'log-sync',
        find: 'await fileSystem.dataSyncAsync(segment.writer.syncDescriptor);',
        replace: '',
      },
    ],
    checks: ['states'],
  },
  {
    name: 'active-not-synced',
    mistake: 'a sync covers only sealed segments',
    edits: [
      {
        file: 'log-sync',
        find: 'const syncing = fileSystem.dataSyncAsync(active.syncDescriptor);',
        replace: 'const syncing = undefined;',
      },
    ],
    checks: ['states'],
  },
  {
    name: 'rotation-directory-not-synced',
    mistake: 'a sync after a rotation leaves the directory entry of the new segment to chance',
    edits: [
      { file: 'log-sync', find: 'await fileSystem.directorySyncAsync(directory);', replace: '' },
    ],
    checks: ['states'],
  },
  {
    name: 'waiting-rotation-syncs-no-data',
    mistake: 'a rotation that waits for the segment before the last does not sync it',
    edits: [
      {
        file: 'log-sync',
        find: 'fileSystem.dataSync(segment.writer.appendDescriptor);',
        replace: '',
      },
    ],
    checks: ['states'],
  },
  {
    name: 'waiting-rotation-syncs-no-directory',
    mistake: 'a rotation that waits does not sync the directory entry of the active segment',
    edits: [
      {
        file: 'log-sync',
        find: 'if (this.directoryIsBehind) { fileSystem.directorySync(directory);',
        replace: 'if (this.directoryIsBehind) {',
      },
    ],
    checks: ['states'],
  },
  {
    name: 'rotation-does-not-wait',
    mistake: 'a rotation to N+2 does not wait for the sync of N',
    edits: [{ file: 'log-writer', find: 'this.syncs.waitForRotated();', replace: '' }],
    checks: ['states'],
  },
  {
    name: 'first-directory-not-synced',
    mistake: 'the first mark is written before the directory entries that it relies on are durable',
    edits: [
      {
        file: 'log-opening',
        find: 'fileSystem.directorySync(directory); if (previous',
        replace: 'if (previous',
      },
    ],
    checks: ['states'],
  },
  {
    name: 'parent-directory-not-synced',
    mistake: 'the name of a new store in its parent directory is left to chance',
    edits: [{ file: 'log-opening', find: 'if (previous === undefined)', replace: 'if (false)' }],
    checks: ['states'],
  },
  {
    name: 'higher-directories-not-synced',
    mistake: 'of several directories that a store makes only the name of the last is synced',
    edits: [
      {
        file: 'store-directory',
        find: 'fileSystem.makeDirectory(path); syncParent(fileSystem, path);',
        replace: 'fileSystem.makeDirectory(path);',
      },
    ],
    checks: ['states'],
  },
  {
    name: 'lock-record-not-synced',
    mistake:
      'the record in .lock is not synced, so that the mark outlives the nonce that witnesses it',
    edits: [
      { file: 'writer-lock', find: 'this.fileSystem.dataSync(this.descriptor);', replace: '' },
    ],
    checks: ['states'],
  },
  {
    name: 'lock-slot-not-spared',
    mistake: 'an opening writes over the slot of .lock that witnesses the present mark',
    edits: [
      {
        file: 'writer-lock',
        find: 'LOCK_MAGIC, witness?.slot,',
        replace: 'LOCK_MAGIC, undefined,',
      },
    ],
    checks: ['states'],
  },
  {
    name: 'release-note-as-witness',
    mistake:
      'of two slots of .lock that witness the mark the newer one is spared, which was never synced',
    edits: [{ file: 'writer-lock', find: 'records.all.findLast(', replace: 'records.all.find(' }],
    checks: ['states'],
  },
  {
    name: 'both-mark-slots-unsynced',
    mistake: 'the slots of the mark take turns at every write, so that a power cut can hurt both',
    edits: [
      {
        file: 'slot-file',
        find: 'this.nextSequence++;',
        replace: 'this.nextSequence++; this.nextIndex = (this.nextIndex + 1) % SLOT_COUNT;',
      },
      { file: 'durable-mark', find: 'this.slots.turn();', replace: '' },
      { file: 'writer-lock', find: 'this.slots.turn();', replace: '' },
    ],
    checks: ['states'],
  },
  {
    name: 'read-mark-not-secured',
    mistake:
      'the mark that an opening has read need not be on disk before its other slot is written',
    edits: [
      {
        file: 'durable-mark',
        find: 'rewriteSlot(fileSystem, descriptor, previous.slot.index); fileSystem.dataSync(descriptor);',
        replace: ';',
      },
    ],
    checks: ['states'],
  },
  {
    name: 'mark-not-synced-at-open',
    mistake: 'an opening writes both slots of the mark and syncs neither',
    edits: [
      {
        file: 'durable-mark',
        find: 'this.write(segmentId, offset, nextTxid, false); this.sync();',
        replace: 'this.write(segmentId, offset, nextTxid, false);',
      },
    ],
    checks: ['states'],
  },
  {
    name: 'mark-not-synced-at-seal',
    mistake: 'the mark is not synced when a segment is sealed',
    edits: [
      { file: 'log-sync', find: 'if (rotated.length > 0) await mark.syncAsync();', replace: '' },
    ],
    checks: ['states'],
  },
  {
    name: 'mark-not-synced-at-close',
    mistake: 'an orderly close does not sync the mark that says so',
    edits: [
      {
        file: 'log-sync',
        find: 'mark.write(segmentId, offset, nextTxid, true); await mark.syncAsync();',
        replace: 'mark.write(segmentId, offset, nextTxid, true);',
      },
    ],
    checks: ['states'],
  },
  {
    name: 'mark-before-sync',
    mistake: 'the mark is written before the sync that it is about',
    edits: [
      {
        file: 'log-sync',
        find: 'const synced = [active]; try {',
        replace:
          'const synced = [active]; try { mark.write(end.segmentId, end.offset, end.nextTxid, false);',
      },
    ],
    checks: ['states'],
  },
  {
    name: 'mark-beyond-sync',
    mistake: 'the mark names the end of the log after the sync, not the end that the sync covered',
    edits: [
      {
        file: 'log-sync',
        find: 'this.refuse(objection); this.advance(end);',
        replace: 'this.refuse(objection); this.advance(this.options.tail.end);',
      },
    ],
    checks: ['states'],
  },
  {
    name: 'acknowledged-before-sync',
    mistake: 'whoever waits for a sync is told before it has begun',
    edits: [
      {
        file: 'group-commit',
        find: 'const operation = await this.commit(batch.waiters);',
        replace: 'batch.resolve(0); const operation = await this.commit(batch.waiters);',
      },
    ],
    checks: ['states'],
  },
  {
    name: 'joins-running-sync',
    mistake: 'a caller that comes while a sync is running is acknowledged by that one',
    edits: [
      {
        file: 'group-commit',
        find: 'this.next = undefined; try { const operation = await this.commit(batch.waiters);',
        replace:
          'try { let operation; try { operation = await this.commit(batch.waiters); } finally { this.next = undefined; }',
      },
    ],
    checks: ['states'],
  },
  {
    name: 'failed-sync-retried',
    mistake: 'a sync that failed is tried again, and believed when it then succeeds',
    edits: [
      {
        file: 'log-sync',
        find: 'await syncing;',
        replace: 'await syncing.catch(() => fileSystem.dataSyncAsync(active.syncDescriptor));',
      },
    ],
    checks: ['corners'],
  },
  {
    name: 'one-descriptor-for-both-syncs',
    mistake:
      'the blocking sync and the one in the thread pool share a descriptor, which hears of a failure once',
    edits: [
      {
        file: 'segment-writer',
        find: "this.syncDescriptor = fileSystem.open(path, 'write');",
        replace: 'this.syncDescriptor = this.appendDescriptor;',
      },
    ],
    checks: ['corners'],
  },
  {
    name: 'one-descriptor-of-the-mark',
    mistake:
      'the mark has one descriptor for both kinds of sync, so that a blocking one may miss a failure',
    edits: [
      {
        file: 'durable-mark',
        find: 'this.fileSystem.dataSyncAsync(this.pooledDescriptor)',
        replace: 'this.fileSystem.dataSyncAsync(this.descriptor)',
      },
    ],
    checks: ['corners'],
  },
  {
    name: 'poison-latch-ignored',
    mistake: 'writing goes on after a failure',
    edits: [
      {
        file: 'poison-latch',
        find: 'if (first === undefined) return undefined;',
        replace: 'return undefined;',
      },
    ],
    checks: ['states'],
  },
  {
    name: 'failed-append-does-not-poison',
    mistake: 'an append that failed half-way only throws',
    edits: [
      {
        file: 'log-writer',
        find: "throw this.latch.close('WRITE_FAILED', 'the append', error);",
        replace: 'throw error;',
      },
    ],
    checks: ['states'],
  },
  {
    name: 'clean-flag-by-poisoned-writer',
    mistake: 'a poisoned writer marks the log as closed in order',
    edits: [
      {
        file: 'open-log',
        find: 'if (this.latch.poisonedBy === undefined) { await this.syncs.sync(); await this.sealer.finish();',
        replace: '{',
      },
      {
        file: 'log-sync',
        find: 'async finish() { await this.commits.join();',
        replace: 'async finish() {',
      },
      {
        file: 'log-sync',
        find: 'latch.check(); this.checkHeld([this.options.tail.active]); const',
        replace: 'const',
      },
    ],
    checks: ['states'],
  },
  {
    name: 'short-write-not-continued',
    mistake: 'a short write counts as a whole one',
    edits: [
      {
        file: 'file-system',
        find: "position + done); if (count === 0) throw Object.assign(new Error('write made no progress'), { code: 'EIO' }); done += count;",
        replace: 'position + done); done += length; void count;',
      },
    ],
    checks: ['states'],
  },
  {
    name: 'batch-stays-in-memory',
    mistake: 'the last frames of a batch wait in user space for the next write',
    edits: [
      {
        file: 'log-writer',
        find: 'offset, byteLength } }); } flush(); }',
        replace: 'offset, byteLength } }); } }',
      },
    ],
    checks: ['states'],
  },
  {
    name: 'unsynced-records-without-limit',
    mistake: 'more records may be unsynced than txids are set aside for',
    edits: [
      { file: 'log-writer', find: 'if (this.unsyncedIsFull()) this.syncs.syncNow();', replace: '' },
    ],
    checks: ['corners'],
  },
  {
    name: 'limit-syncs-no-data',
    mistake:
      'the sync that keeps the unsynced records within the limit leaves out the active segment',
    edits: [
      {
        file: 'log-sync',
        find: 'this.options.fileSystem.dataSync(active.appendDescriptor);',
        replace: '',
      },
    ],
    checks: ['corners'],
  },
  {
    name: 'compaction-target-not-synced',
    mistake: 'compactTo returns before the name of what it made is durable',
    edits: [
      { file: 'build-store', find: 'fileSystem.directorySync(dirname(target));', replace: '' },
    ],
    checks: ['states'],
  },
  {
    name: 'compaction-in-place',
    mistake: 'compactTo builds at its target instead of beside it',
    edits: [
      {
        file: 'build-store',
        find: 'this.unfinished = this.isInside ?',
        replace: 'this.unfinished = this.target; void this.isInside ?',
      },
      {
        file: 'build-store',
        find: 'this.checkEmpty([]); fileSystem.rename(unfinished, target);',
        replace: '',
      },
    ],
    checks: ['states'],
  },
  {
    name: 'compaction-renames-before-close',
    mistake: 'compactTo moves the copy into place before it is durable',
    edits: [{ file: 'compact-to', find: 'await log.close();', replace: 'void log.close();' }],
    checks: ['states'],
  },
  {
    name: 'export-not-synced',
    mistake: 'exportJsonl renames a file into place whose bytes are not durable',
    edits: [{ file: 'export', find: 'await fileSystem.dataSyncAsync(descriptor);', replace: '' }],
    checks: ['states'],
  },
  {
    name: 'export-target-not-synced',
    mistake: 'exportJsonl returns before the rename is durable',
    edits: [{ file: 'export', find: 'fileSystem.directorySync(dirname(target));', replace: '' }],
    checks: ['states'],
  },
];
