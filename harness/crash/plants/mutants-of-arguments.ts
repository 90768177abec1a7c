import type { Mutant } from './mutant.ts';

/** Mistakes about what callers hand over, keep, and do while they are told something. */
export const ARGUMENT_MUTANTS: readonly Mutant[] = [
  {
    name: 'staged-stays-after-refusal',
    mistake: 'what a batch had staged before it was refused goes out with the next one',
    edits: [
      { file: 'log-writer', find: 'tail.active.dropStaged();', replace: '' },
      { file: 'log-writer', find: 'tail.nextTxid -= staged.length;', replace: '' },
      {
        file: 'log-writer',
        find: 'if (frameBytes(key.length, payload.length) === byteLength) return;',
        replace: 'if (payload.length > 0 || byteLength < 40) return;',
      },
    ],
    checks: ['corners'],
  },
  {
    name: 'detached-memory-taken-for-empty',
    mistake: 'a view whose memory was transferred away is written as an empty value',
    edits: [{ file: 'bytes', find: 'elementOf(input, 0);', replace: '' }],
    checks: ['corners'],
  },
  {
    name: 'lone-surrogates-taken',
    mistake: 'strings that are not well-formed are keys, and different ones are the same key',
    edits: [
      { file: 'bytes', find: 'if (!text.isWellFormed()) {', replace: 'if (text === null) {' },
    ],
    checks: ['corners'],
  },
  {
    name: 'length-of-a-view-believed',
    mistake: 'a view of a subclass is taken as it is, and says another length each time',
    edits: [
      {
        file: 'bytes',
        find: 'if (prototype !== Buffer.prototype && prototype !== Uint8Array.prototype) return false;',
        replace: '',
      },
    ],
    checks: ['corners'],
  },
  {
    name: 'shared-memory-not-copied',
    mistake: 'memory of another thread is checked at one moment and written at another',
    edits: [
      {
        file: 'bytes',
        find: 'bufferOf(input).resizable === false',
        replace: 'bufferOf(input) !== undefined',
      },
    ],
    checks: ['corners'],
  },
  {
    name: 'unknown-options-ignored',
    mistake: 'an option that is misspelt is ignored',
    edits: [
      {
        file: 'options',
        find: 'if (known.includes(name)) continue;',
        replace: 'if (known.length > 0) continue;',
      },
    ],
    checks: ['corners'],
  },
  {
    name: 'probe-may-reenter',
    mistake: 'a probe that is told of a write may write into the same store at once',
    edits: [{ file: 'probe-set', find: 'if (!this.isTelling) return;', replace: 'return;' }],
    checks: ['corners'],
  },
  {
    name: 'shard-grows-past-its-places',
    mistake: 'the arena of a shard of the keydir grows further than a slot can point',
    edits: [
      {
        file: 'keydir-shard',
        find: 'if (this.reservedEnd > this.maxWords) { this.makeRoomByCompacting(words); return; }',
        replace: '',
      },
    ],
    checks: ['corners'],
  },
  {
    name: 'values-share-a-transferable-slab',
    mistake: 'transferring the buffer of one value takes others with it',
    edits: [
      {
        file: 'handed-out',
        find: 'markAsUntransferable(buffer.buffer); return buffer;',
        replace: 'return buffer;',
      },
    ],
    checks: ['corners'],
  },
];
