import type { Mutant } from './mutant.ts';

/** Which directory a store is, and who may write it. */
export const IDENTITY_MUTANTS: readonly Mutant[] = [
  {
    name: 'link-followed-at-each-call',
    mistake: 'a link on the way to the store is followed at each call, not once',
    edits: [
      {
        file: 'log-opening',
        find: 'const directory = resolveLinks(fileSystem, options.directory);',
        replace: 'const directory = options.directory;',
      },
    ],
    checks: ['corners'],
  },
  {
    name: 'names-not-looked-at',
    mistake: 'files are made and removed by name in whatever directory stands there now',
    edits: [
      {
        file: 'guarded-file-system',
        find: 'this.guard.beforeWrite?.();\n        this.refuse(this.held.objection());',
        replace: 'this.guard.beforeWrite?.();',
      },
    ],
    checks: ['corners'],
  },
  {
    name: 'lock-file-not-looked-at',
    mistake: 'a sync is acknowledged although .lock is another file by now',
    edits: [
      {
        file: 'log-sync',
        find: 'let objection = this.options.lock.held.fileObjection();',
        replace: 'let objection;',
      },
    ],
    checks: ['corners'],
  },
  {
    name: 'synced-segment-not-looked-at',
    mistake: 'a sync is acknowledged although its segment has no name any more',
    edits: [
      {
        file: 'log-sync',
        find: 'for (const writer of writers) objection ??= writer.objection();',
        replace: '',
      },
    ],
    checks: ['corners'],
  },
  {
    name: 'reads-from-whatever-stands-there',
    mistake: 'a get opens the segment of whatever store stands at the path now',
    edits: [
      {
        file: 'open-log',
        find: '() => fileSystem.checkDirectory()',
        replace: '() => {}',
      },
    ],
    checks: ['corners'],
  },
  {
    name: 'segment-not-locked',
    mistake: 'only .lock is locked, so that who removes it lets a second writer into the segment',
    edits: [
      {
        file: 'segment-writer',
        find: "if (fileSystem.tryLock(descriptor) !== 'busy') return;",
        replace: 'return;',
      },
    ],
    checks: ['corners'],
  },
  {
    name: 'lease-not-asked-before-writes',
    mistake: 'without kernel locks only syncs ask whether the lease is still held',
    edits: [
      { file: 'log-opening', find: 'if (!lock.stillHeld()) throw', replace: 'if (false) throw' },
    ],
    checks: ['corners'],
  },
  {
    name: 'killed-container-blocks',
    mistake: 'a kernel lock proves a holder dead in the pid namespace of its successor only',
    edits: [
      {
        file: 'lock-decision',
        find: "if (sameBoot && record.kernelLock && evidence.kernelLockHeld) return 'dead';",
        replace: '',
      },
    ],
    checks: ['corners'],
  },
  {
    name: 'ended-thread-blocks',
    mistake: 'the lease of a worker thread that has ended counts as long as its process lives',
    edits: [
      {
        file: 'lock-decision',
        find: 'hasEnded(record.thread?.start ?? null, now.startOfRecordedThread)',
        replace: 'false',
      },
    ],
    checks: ['corners'],
  },
  {
    name: 'future-lease-blocks',
    mistake: 'a lease whose time lies in the future counts until the clock has caught up',
    edits: [
      {
        file: 'writer-lock',
        find: 'Math.abs(Date.now() - stat.modifiedMs)',
        replace: '(Date.now() - stat.modifiedMs)',
      },
    ],
    checks: ['corners'],
  },
  {
    name: 'copy-beside-a-mounted-disk',
    mistake: 'a copy into a directory that exists is built beside it, perhaps on another disk',
    edits: [
      {
        file: 'build-store',
        find: 'this.isInside = fileSystem.stat(this.target) !== undefined;',
        replace: 'this.isInside = false;',
      },
    ],
    checks: ['corners'],
  },
  {
    name: 'backup-target-not-held',
    mistake: 'a backup goes on in whatever directory stands at its target now',
    edits: [
      {
        file: 'backup',
        find: 'source.guarded.holdAlso(held)',
        replace: '() => {}',
      },
    ],
    checks: ['corners'],
  },
];
