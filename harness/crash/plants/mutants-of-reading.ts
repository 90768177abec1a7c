import type { Mutant } from './mutant.ts';

/** Mistakes in how frames are read, checked and found again. */
export const READING_MUTANTS: readonly Mutant[] = [
  {
    name: 'scan-skips-checksum',
    mistake: 'recovery does not check checksums',
    edits: [
      {
        file: 'frame-cursor',
        find: 'const ok = crcHolds(this.view, at, byteLength);',
        replace: 'const ok = true;',
      },
    ],
    checks: ['states'],
  },
  {
    name: 'get-skips-checksum',
    mistake: 'a get does not check the checksum',
    edits: [{ file: 'segment-reader', find: 'crcHolds(view, at, byteLength)', replace: 'true' }],
    checks: ['corners'],
  },
  {
    name: 'checksum-leaves-out-header',
    mistake: 'the checksum does not cover the first byte of a frame that may differ, its type',
    edits: [
      {
        file: 'frame',
        find: 'return crc32cOfRange(view, offset, crcAt) === view.getUint32(crcAt, true);',
        replace:
          'return [0, 1, 2].some((type) => { const copy = Uint8Array.from(new Uint8Array(view.buffer, view.byteOffset + offset, crcAt - offset)); copy[6] = type; return crc32cOfRange(viewOf(copy), 0, copy.length) === view.getUint32(crcAt, true); });',
      },
    ],
    checks: ['corners'],
  },
  {
    name: 'get-skips-key',
    mistake: 'a get does not compare the key, and returns whatever stands there',
    edits: [{ file: 'segment-reader', find: '|| !sameBytes(bytes, keyAt, key)', replace: '' }],
    checks: ['corners'],
  },
  {
    name: 'get-skips-type',
    mistake: 'a get takes any record of the key for a Put',
    edits: [
      {
        file: 'segment-reader',
        find: 'if (headerType(view, at) !== RecordType.Put)',
        replace: 'if (false)',
      },
    ],
    checks: ['corners'],
  },
  {
    name: 'keydir-compares-hashes',
    mistake: 'the keydir takes keys with the same hash for the same key',
    edits: [
      { file: 'keydir-shard', find: 'if (bytes[from] !== key[index]) return false;', replace: '' },
    ],
    checks: ['corners'],
  },
  {
    name: 'tombstones-ignored',
    mistake: 'replay does not apply deletes',
    edits: [
      {
        file: 'keydir-replay',
        find: 'block.add(frame, frame.offset - base);',
        replace: 'if (frame.type !== 2) block.add(frame, frame.offset - base);',
      },
    ],
    checks: ['states'],
  },
  {
    name: 'first-write-wins',
    mistake: 'replay keeps the oldest value of a key',
    edits: [
      {
        file: 'keydir-shard',
        find: 'tally.putBytes += byteLength; if (at === -1) {',
        replace: 'tally.putBytes += byteLength; if (at !== -1) continue; if (at === -1) {',
      },
    ],
    checks: ['states'],
  },
  {
    name: 'frame-at-segment-end',
    mistake: 'a frame that ends exactly where its segment ends is taken as cut off',
    edits: [
      {
        file: 'frame-cursor',
        find: 'if (byteLength > rest)',
        replace: 'if (byteLength >= rest)',
      },
    ],
    checks: ['states'],
  },
  {
    name: 'frame-beyond-segment-end',
    mistake: 'a frame may end one byte behind its segment',
    edits: [
      {
        file: 'frame-cursor',
        find: 'if (byteLength > rest)',
        replace: 'if (byteLength > rest + 1)',
      },
    ],
    checks: ['states'],
  },
  {
    name: 'frame-across-chunks',
    mistake: 'a frame that ends one byte behind a chunk is read as if it ended in it',
    edits: [
      {
        file: 'frame-cursor',
        find: 'if (offset + byteLength > this.chunkEnd) {',
        replace: 'if (offset + byteLength > this.chunkEnd + 1) {',
      },
    ],
    checks: ['corners'],
  },
  {
    name: 'header-across-chunks',
    mistake: 'a header that ends one byte behind a chunk is read as if it ended in it',
    edits: [
      {
        file: 'frame-cursor',
        find: 'if (offset + HEADER_BYTES > this.chunkEnd)',
        replace: 'if (offset + HEADER_BYTES > this.chunkEnd + 1)',
      },
    ],
    checks: ['corners'],
  },
  {
    name: 'compaction-copies-deleted',
    mistake: 'compactTo copies every Put of the log, those of deleted keys too',
    edits: [
      {
        file: 'store',
        find: "(operation) => this.sortedPairs('compact', operation)",
        replace:
          '() => [...this.log.scan()].filter(({ type }) => type === 1).map(({ key, payload }) => [key, payload])',
      },
    ],
    checks: ['corners'],
  },
];
