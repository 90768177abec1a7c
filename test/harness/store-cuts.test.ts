import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { DiskModel, type Fate } from '../../harness/crash/disk/disk-model.ts';
import { legalFates } from '../../harness/crash/disk/legal-fates.ts';
import { recordProgram, whyNoRecording } from '../../harness/crash/recording/record-program.ts';
import { parseSystemCalls } from '../../harness/crash/recording/system-calls.ts';
import { traceOfCalls } from '../../harness/crash/recording/trace-of-calls.ts';
import { EMPTY_DISK } from '../../harness/file-systems/disk-image.ts';
import type { TraceEvent } from '../../harness/file-systems/trace.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const hex = (text: string) =>
  [...Buffer.from(text)].map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('');

/** strace's text, in which `'…'` and `<…>` are written plainly. */
function recordingOf(...lines: readonly string[]) {
  const text = lines
    .map((line) =>
      line
        .replaceAll(/'([^']*)'/g, (_, inside: string) => `"${hex(inside)}"`)
        .replaceAll(/<(\/[^>]*)>/g, (_, path: string) => `<${hex(path)}>`),
    )
    .join('\n');
  return traceOfCalls(parseSystemCalls(text), { root: '/d', cwd: '/', first: EMPTY_DISK });
}
const kinds = (events: readonly { event: TraceEvent }[]) => events.map(({ event }) => event.kind);

describe('system calls become the events of a trace', () => {
  test('calls that other threads interrupt act at their entry, and return where they return', () => {
    const { events, marks } = recordingOf(
      `1 openat(AT_FDCWD</>, 'd/a', O_WRONLY|O_CREAT, 0666) = 3</d/a>`,
      `1 clone3({flags=CLONE_FILES|CLONE_THREAD} => {parent_tid=[2]}, 88) = 2`,
      `1 pwrite64(3</d/a>, 'xy', 2, 0 <unfinished ...>`,
      `2 fdatasync(3</d/a> <unfinished ...>`,
      `1 <... pwrite64 resumed>) = 2`,
      `1 write(1<pipe:[1]>, 'end 0\n', 6) = 6`,
      `2 <... fdatasync resumed>) = 0`,
    );
    expect(kinds(events)).toEqual(['create', 'write', 'dataSync']);
    // The write had not returned when the sync began, so it is not covered.
    expect(events[2]?.event).toMatchObject({ since: 2, inFlight: [1], onlyData: true });
    expect(marks).toEqual([{ text: 'end 0', at: 2, call: 5 }]);
  });

  test('short, failing, duplicated and appended calls change what they changed', () => {
    const { events } = recordingOf(
      `1 open('/d/log', O_WRONLY|O_CREAT|O_APPEND, 0666) = 5</d/log>`,
      `1 write(5</d/log>, 'abcd', 4) = 2`,
      `1 write(5</d/log>, 'zz', 2) = -1 ENOSPC (No space left on device)`,
      `1 dup2(5</d/log>, 9</d/log>) = 9</d/log>`,
      `1 close(5</d/log>) = 0`,
      `1 writev(9</d/log>, [{iov_base='e', iov_len=1}, {iov_base='f', iov_len=1}], 2) = 2`,
      `1 unlink('/d/none') = -1 ENOENT (No such file or directory)`,
      `1 rename('/d/log', '/d/log.1') = 0`,
    );
    expect(events.map(({ event }) => event)).toEqual([
      { kind: 'create', path: '/log', inode: 1 },
      { kind: 'write', inode: 1, position: 0, bytes: Buffer.from('ab') },
      { kind: 'write', inode: 1, position: 2, bytes: Buffer.from('ef') },
      { kind: 'rename', from: '/log', to: '/log.1', inode: 1 },
    ]);
  });

  test('relative paths, directories, O_DSYNC, O_TRUNC, O_TMPFILE, fallocate and a map are understood', () => {
    const { events, mapped, troubles } = recordingOf(
      `1 chdir('/d') = 0`,
      `1 mkdir('s', 0777) = 0`,
      `1 openat(AT_FDCWD</d>, 's', O_RDONLY|O_DIRECTORY) = 4</d/s>`,
      `1 openat(4</d/s>, 'f', O_RDWR|O_CREAT|O_DSYNC, 0666) = 5</d/s/f>`,
      `1 pwrite64(5</d/s/f>, 'abc', 3, 1) = 3`,
      `1 fsync(4</d/s>) = 0`,
      `1 fallocate(5</d/s/f>, 0, 0, 8) = 0`,
      `1 fallocate(5</d/s/f>, FALLOC_FL_KEEP_SIZE|FALLOC_FL_PUNCH_HOLE, 1, 1) = 0`,
      `1 open('s/f', O_WRONLY|O_TRUNC) = 6</d/s/f>`,
      `1 close(6</d/s/f>) = 0`,
      `1 mmap(NULL, 4096, PROT_READ|PROT_WRITE, MAP_SHARED, 5</d/s/f>, 0) = 0x7f0000000000`,
      `1 openat(AT_FDCWD</d>, '.', O_WRONLY|O_TMPFILE, 0600) = 7</d/#12 (deleted)>`,
      `1 write(7</d/#12>, 'n', 1) = 1`,
      `1 linkat(AT_FDCWD</d>, '/proc/self/fd/7', AT_FDCWD</d>, 'named', AT_SYMLINK_FOLLOW) = 0`,
      `1 symlink('a', 'b') = 0`,
    );
    expect(kinds(events)).toEqual([
      ...['makeDirectory', 'create', 'write', 'dataSync', 'directorySync'],
      ...['truncate', 'write', 'truncate', 'closedAfterTruncate', 'write', 'create'],
    ]);
    expect(mapped).toEqual(['/s/f']);
    expect(troubles).toEqual(['call 15 makes a symbolic link, which images do not hold']);
  });
});

const write = (inode: number, position: number, length: number): TraceEvent => ({
  kind: 'write',
  inode,
  position,
  bytes: Buffer.alloc(length, 1),
});
const create = (path: string, inode: number): TraceEvent => ({ kind: 'create', path, inode });

function ext4After(...events: readonly TraceEvent[]): DiskModel {
  const disk = new DiskModel(EMPTY_DISK, () => 0, 'ext4');
  for (const [at, event] of events.entries()) disk.advance(event, at);
  return disk;
}

describe('ext4', () => {
  test('an fsync of any file makes every name before it durable, and not the bytes of others', () => {
    const { pieces } = ext4After(create('/a', 1), write(1, 0, 3), create('/b', 2), write(2, 0, 3), {
      kind: 'dataSync',
      inode: 2,
      since: 4,
    });
    expect(pieces.map(({ event }) => event)).toEqual([write(1, 0, 3)]);
  });

  test('an fdatasync of bytes in their place commits nothing', () => {
    const { pieces } = ext4After(
      create('/a', 1),
      write(1, 0, 3),
      { kind: 'dataSync', inode: 1, since: 2 },
      create('/b', 2),
      write(1, 0, 3),
      { kind: 'dataSync', inode: 1, since: 5, onlyData: true },
    );
    expect(pieces.map(({ event }) => event.kind)).toEqual(['create']);
  });

  test('names are kept in order, and the bytes of a file before the rename that replaces with it', () => {
    const { pieces } = ext4After(
      create('/a', 1),
      create('/a.tmp', 2),
      write(2, 0, 9000),
      { kind: 'rename', from: '/a.tmp', to: '/a', inode: 2 },
      create('/b', 3),
      write(3, 0, 9000),
    );
    const fates = (...wished: Fate[]) => legalFates('ext4', pieces, wished);
    expect(fates('kept', 'kept', 'lost', 'kept', 'lost', 'kept')).toEqual([
      ...['kept', 'kept', 'kept', 'kept', 'lost', 'kept'],
    ]);
    expect(fates('kept', 'lost', 'lost', 'kept', 'kept', 'lost')).toEqual([
      ...['kept', 'lost', 'lost', 'lost', 'lost', 'lost'],
    ]);
    const torn = { keepFrom: 0, keepTo: 5000, fill: 'zeros' } as const;
    expect(fates('kept', 'kept', 'kept', 'kept', 'kept', torn).at(-1)).toEqual({
      keepFrom: 0,
      keepTo: 4096,
      fill: 'short',
    });
  });

  test('a new name may be there before its bytes', () => {
    const { pieces } = ext4After(create('/a.tmp', 1), write(1, 0, 10), {
      kind: 'rename',
      from: '/a.tmp',
      to: '/a',
      inode: 1,
    });
    expect(legalFates('ext4', pieces, ['kept', 'lost', 'kept'])).toEqual(['kept', 'lost', 'kept']);
  });
});

test.skipIf(whyNoRecording() !== undefined)(
  'a recorded program comes to what its directory holds, whichever calls it makes',
  { timeout: 60_000 },
  async () => {
    const cwd = temporaryDirectory();
    const program = join(cwd, 'program.mjs');
    writeFileSync(
      program,
      `import fs from 'node:fs'; import fsp from 'node:fs/promises';
      fs.mkdirSync('data/sub', { recursive: true });
      await Promise.all([1, 2, 3].map((n) => fsp.writeFile('data/sub/' + n, Buffer.alloc(n * 5000, n))));
      const fd = fs.openSync('data/log', 'a+');
      fs.writevSync(fd, [Buffer.from('one'), Buffer.from('two')]);
      fs.readSync(fd, Buffer.alloc(2), 0, 2, null); fs.writeSync(fd, 'three');
      fs.fdatasyncSync(fd); fs.ftruncateSync(fd, 7); fs.closeSync(fd);
      fs.copyFileSync('data/sub/1', 'data/copy'); fs.linkSync('data/copy', 'data/link');
      fs.renameSync('data/sub', 'data/moved'); fs.unlinkSync('data/moved/2');
      const dir = fs.openSync('data', 'r'); fs.fsyncSync(dir); fs.closeSync(dir);
      fs.writeSync(1, 'end\\n');`,
    );
    mkdirSync(join(cwd, 'data'));
    const { recording, exitStatus } = await recordProgram({
      command: [process.execPath, program],
      directory: join(cwd, 'data'),
      cwd,
      timeoutMs: 50_000,
    });
    expect(exitStatus).toBe(0);
    expect(recording.troubles).toEqual([]);
    expect(recording.marks).toMatchObject([{ text: 'end', at: recording.events.length }]);
  },
);
