import type { Mutant } from './mutant.ts';

/** Mistakes at the end of what there is, and about work that somebody waits for. */
export const END_MUTANTS: readonly Mutant[] = [
  {
    name: 'lock-without-second-slot',
    mistake: 'the second slot of the lock file gets its block when it is first needed',
    edits: [
      {
        file: 'writer-lock',
        find: 'preallocateSlots(fileSystem, descriptor, sentinel.sizeBytes);',
        replace: '',
      },
    ],
    checks: ['corners'],
  },
  {
    name: 'full-disk-without-lease-refused',
    mistake: 'a disk that has no room for the lease cannot open a store',
    edits: [
      {
        file: 'writer-lock',
        find: 'if (!kernelLock || !isNoRoom(error)) throw error;',
        replace: 'throw error;',
      },
    ],
    checks: ['corners'],
  },
  {
    name: 'failed-rotation-poisons',
    mistake: 'a rotation that could not begin, and has written nothing, poisons the writer',
    edits: [
      {
        file: 'log-writer',
        find: 'if (!isOfNoEffect(previous, error))',
        replace: 'if (previous !== undefined)',
      },
    ],
    checks: ['corners'],
  },
  {
    name: 'failed-rotation-leaves-segment',
    mistake: 'a rotation that could not begin leaves its file',
    edits: [
      {
        file: 'segment-writer',
        find: "if (mode === 'create') fileSystem.remove(path);",
        replace: '',
      },
    ],
    checks: ['corners'],
  },
  {
    name: 'pieces-not-counted',
    mistake: 'an opening lets others run after so many bytes of one segment, and not of many',
    edits: [
      {
        file: 'turns',
        find: 'this.doneBytes += workBytes;',
        replace: 'this.doneBytes = workBytes;',
      },
    ],
    checks: ['corners'],
  },
  {
    name: 'pause-not-ended-by-close',
    mistake: 'a scrub that waits because it was too fast sleeps on when its store is closed',
    edits: [
      {
        file: 'verify-pace',
        find: 'await pause(aheadMs, signal, this.closed);',
        replace: 'await pause(aheadMs, signal);',
      },
    ],
    checks: ['corners'],
  },
  {
    name: 'scrub-deaf-to-its-signal',
    mistake: 'a scrub does not ask whether its signal was aborted',
    edits: [
      {
        file: 'verify-pace',
        find: 'this.options.signal?.throwIfAborted();',
        replace: '',
      },
    ],
    checks: ['corners'],
  },
  {
    name: 'unfinished-store-left-open',
    mistake: 'a compactTo that its signal ends leaves the log that it was writing open',
    edits: [
      {
        file: 'compact-to',
        find: 'finally { await log.close(); }',
        replace: 'finally { if (signal?.aborted !== true) await log.close(); }',
      },
    ],
    checks: ['corners'],
  },
  {
    name: 'text-of-strangers-raw',
    mistake: 'messages hold a path as it is, and a terminal obeys what is in it',
    edits: [
      {
        file: 'errors',
        find: 'printableText(`',
        replace: 'String(`',
      },
    ],
    checks: ['corners'],
  },
  {
    name: 'field-twice-taken',
    mistake: 'an import takes the last of two fields of one name without a word',
    edits: [
      {
        file: 'import',
        find: "if (hasFieldTwice(text)) throw malformed(path, line, 'has a field twice');",
        replace: '',
      },
    ],
    checks: ['corners'],
  },
  {
    name: 'sync-in-foreign-context',
    mistake: 'a group commit runs in the async context of whoever asked first',
    edits: [
      {
        file: 'group-commit',
        find: 'void inOwnContext(() => this.run());',
        replace: 'void this.run();',
      },
    ],
    checks: ['corners'],
  },
  {
    name: 'merge-in-foreign-context',
    mistake: 'automatic merges run in the async context of whoever opened the store',
    edits: [
      {
        file: 'merge-scheduler',
        find: 'void inOwnContext(() => this.startWithSeals());',
        replace: 'void this.startWithSeals();',
      },
    ],
    checks: ['corners'],
  },
];
