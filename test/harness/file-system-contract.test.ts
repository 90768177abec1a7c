import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { MemoryFileSystem } from '../../harness/file-systems/memory-file-system.ts';
import { type FileSystem, NodeFileSystem, type OpenMode } from '../../src/engine/index.ts';
import { operation, outcome, trace } from '../support/file-system-operations.ts';

/**
 * What the engine relies on, held against the real file system and the one in memory. Crash states
 * are enumerated on the latter: where it were kinder than the disk, the proof would be worth
 * nothing.
 */
interface Subject {
  readonly fileSystem: FileSystem;
  readonly root: string;
  readonly remove: () => void;
}

function realSubject(): Subject {
  const root = mkdtempSync(join(tmpdir(), 'tidemark-contract-'));
  return {
    fileSystem: new NodeFileSystem(),
    root,
    remove: () => rmSync(root, { recursive: true }),
  };
}

function memorySubject(): Subject {
  const fileSystem = new MemoryFileSystem();
  fileSystem.makeDirectory('/root');
  return { fileSystem, root: '/root', remove: () => {} };
}

const SUBJECTS: readonly (readonly [string, () => Subject])[] = [
  ['NodeFileSystem', realSubject],
  ['MemoryFileSystem', memorySubject],
];

describe.each(SUBJECTS)('%s', (_name, create) => {
  let subject: Subject;
  let fileSystem: FileSystem;
  const at = (name: string) => join(subject.root, name);

  beforeEach(() => {
    subject = create();
    fileSystem = subject.fileSystem;
  });
  afterEach(() => subject.remove());

  function withFile<T>(name: string, mode: OpenMode, use: (descriptor: number) => T): T {
    const descriptor = fileSystem.open(at(name), mode);
    try {
      return use(descriptor);
    } finally {
      fileSystem.close(descriptor);
    }
  }

  function make(name: string, text = ''): void {
    withFile(name, 'create', (descriptor) => writeAt(descriptor, text, 0));
  }

  function writeAt(descriptor: number, text: string, position: number): number {
    const bytes = Buffer.from(text);
    return fileSystem.write(descriptor, bytes, 0, bytes.length, position);
  }

  function readAt(descriptor: number, length: number, position: number): string {
    const buffer = Buffer.alloc(length);
    return buffer
      .subarray(0, fileSystem.read(descriptor, buffer, 0, length, position))
      .toString('latin1');
  }

  test('reads and writes go to their position, in any order', () => {
    withFile('f', 'create', (descriptor) => {
      expect(writeAt(descriptor, 'world', 6)).toBe(5);
      expect(writeAt(descriptor, 'hello ', 0)).toBe(6);
      expect(readAt(descriptor, 5, 6)).toBe('world');
      expect(writeAt(descriptor, 'W', 6)).toBe(1);
      expect(readAt(descriptor, 11, 0)).toBe('hello World');
    });
  });

  test('offset and length choose a part of the buffer, and nothing beyond it is touched', () => {
    withFile('f', 'create', (descriptor) => {
      fileSystem.write(descriptor, Buffer.from('abcdef'), 2, 3, 0);
      const buffer = Buffer.from('......');
      expect(fileSystem.read(descriptor, buffer, 1, 3, 0)).toBe(3);
      expect(buffer.toString()).toBe('.cde..');
    });
  });

  test('a file written beyond its end is filled with zeros in between', () => {
    withFile('f', 'create', (descriptor) => {
      writeAt(descriptor, 'x', 5000);
      expect(fileSystem.statDescriptor(descriptor).sizeBytes).toBe(5001);
      expect(readAt(descriptor, 5001, 0)).toBe(`${'\0'.repeat(5000)}x`);
    });
  });

  test('a write of nothing changes nothing, wherever it points', () => {
    withFile('f', 'create', (descriptor) => {
      expect(writeAt(descriptor, '', 100)).toBe(0);
      expect(fileSystem.writeVector(descriptor, [Buffer.alloc(0)], 100)).toBe(0);
      expect(fileSystem.statDescriptor(descriptor).sizeBytes).toBe(0);
    });
  });

  test('a read at the end is short, one behind it gives nothing', async () => {
    make('f', 'abc');
    const descriptor = fileSystem.open(at('f'), 'read');
    expect(readAt(descriptor, 10, 1)).toBe('bc');
    expect(readAt(descriptor, 10, 3)).toBe('');
    expect(readAt(descriptor, 10, 99)).toBe('');
    const buffer = Buffer.from('....');
    expect(await fileSystem.readAsync(descriptor, buffer, 1, 3, 1)).toBe(2);
    expect(buffer.toString()).toBe('.bc.');
    fileSystem.close(descriptor);
  });

  test('a vector is written as its parts one after the other', () => {
    withFile('f', 'create', (descriptor) => {
      const parts = ['ab', '', 'cde'].map((part) => Buffer.from(part));
      expect(fileSystem.writeVector(descriptor, parts, 2)).toBe(5);
      expect(readAt(descriptor, 10, 0)).toBe('\0\0abcde');
    });
  });

  test('truncate shortens, and grows with zeros also over what was there before', () => {
    withFile('f', 'create', (descriptor) => {
      writeAt(descriptor, 'abcdef', 0);
      fileSystem.truncate(descriptor, 2);
      expect(readAt(descriptor, 10, 0)).toBe('ab');
      fileSystem.truncate(descriptor, 4);
      expect(readAt(descriptor, 10, 0)).toBe('ab\0\0');
    });
  });

  test('create is exclusive and begins empty; read and write need the file', () => {
    make('f', 'abc');
    expect(outcome(() => fileSystem.open(at('f'), 'create'))).toEqual({ code: 'EEXIST' });
    expect(fileSystem.stat(at('f'))?.sizeBytes).toBe(3);
    for (const mode of ['read', 'write'] as const) {
      expect(outcome(() => fileSystem.open(at('none'), mode))).toEqual({ code: 'ENOENT' });
    }
  });

  test('a descriptor that reads does not write', () => {
    make('f', 'abc');
    withFile('f', 'read', (descriptor) => {
      expect(outcome(() => writeAt(descriptor, 'x', 0))).toEqual({ code: 'EBADF' });
      expect(outcome(() => fileSystem.writeVector(descriptor, [Buffer.from('x')], 0))).toEqual({
        code: 'EBADF',
      });
      expect(outcome(() => fileSystem.truncate(descriptor, 0))).toEqual({ code: 'EINVAL' });
      expect(readAt(descriptor, 10, 0)).toBe('abc');
      fileSystem.dataSync(descriptor);
    });
  });

  test('what is missing, a file or a directory where the other is needed, has its code', async () => {
    make('f');
    fileSystem.makeDirectory(at('d'));
    for (const [name, code] of [
      ['none', 'ENOENT'],
      ['none/x', 'ENOENT'],
      ['f/x', 'ENOTDIR'],
      ['f/x/y', 'ENOTDIR'],
    ] as const) {
      expect(outcome(() => fileSystem.list(at(name)))).toEqual({ code });
      expect(outcome(() => fileSystem.open(at(name), 'read'))).toEqual({ code });
      expect(outcome(() => fileSystem.open(at(join(name, 'x')), 'create'))).toEqual({ code });
      expect(outcome(() => fileSystem.remove(at(name)))).toEqual({ code });
      expect(outcome(() => fileSystem.removeDirectory(at(name)))).toEqual({ code });
      expect(outcome(() => fileSystem.rename(at(name), at('g')))).toEqual({ code });
      expect(outcome(() => fileSystem.directorySync(at(name)))).toEqual({ code });
      await expect(fileSystem.directorySyncAsync(at(name))).rejects.toMatchObject({ code });
      expect(outcome(() => fileSystem.stat(at(name)))).toEqual(
        code === 'ENOENT' ? { value: undefined } : { code },
      );
    }
    expect(outcome(() => fileSystem.list(at('f')))).toEqual({ code: 'ENOTDIR' });
    expect(outcome(() => fileSystem.removeDirectory(at('f')))).toEqual({ code: 'ENOTDIR' });
    expect(outcome(() => fileSystem.directorySync(at('f')))).toEqual({ code: 'ENOTDIR' });
    expect(outcome(() => fileSystem.remove(at('d')))).toEqual({ code: 'EISDIR' });
    expect(outcome(() => fileSystem.open(at('d'), 'write'))).toEqual({ code: 'EISDIR' });
    expect(outcome(() => fileSystem.open(at('d'), 'create'))).toEqual({ code: 'EEXIST' });
    expect(withFile('d', 'read', (descriptor) => outcome(() => readAt(descriptor, 1, 0)))).toEqual({
      code: 'EISDIR',
    });
  });

  test('makeDirectory says which directory it had to begin with', () => {
    make('f');
    expect(fileSystem.makeDirectory(at('a/b/c'))).toBe(at('a'));
    expect(fileSystem.makeDirectory(at('a/b/c'))).toBeUndefined();
    expect(fileSystem.makeDirectory(at('a/b/d'))).toBe(at('a/b/d'));
    expect(outcome(() => fileSystem.makeDirectory(at('f')))).toEqual({ code: 'EEXIST' });
    expect(outcome(() => fileSystem.makeDirectory(at('f/x')))).toEqual({ code: 'ENOTDIR' });
    expect(fileSystem.list(at('a/b')).sort()).toEqual(['c', 'd']);
  });

  test('list names what lies in a directory, and nothing deeper', () => {
    make('f');
    fileSystem.makeDirectory(at('d/e'));
    make('d/g');
    expect(fileSystem.list(subject.root).sort()).toEqual(['d', 'f']);
    fileSystem.remove(at('f'));
    expect(fileSystem.list(subject.root)).toEqual(['d']);
    expect(outcome(() => fileSystem.removeDirectory(at('d')))).toEqual({ code: 'ENOTEMPTY' });
  });

  test('stat tells the kind, the size and whether it is still the same file', () => {
    make('f', 'abc');
    fileSystem.makeDirectory(at('d'));
    expect(fileSystem.stat(at('d'))?.kind).toBe('directory');
    const before = fileSystem.stat(at('f'));
    expect(before).toMatchObject({ kind: 'file', sizeBytes: 3 });
    withFile('f', 'read', (descriptor) => {
      readAt(descriptor, 3, 0);
      expect(fileSystem.statDescriptor(descriptor)).toEqual(before);
      fileSystem.rename(at('f'), at('g'));
      expect(fileSystem.stat(at('g'))).toEqual(before);
      make('f', 'abc');
      expect(fileSystem.stat(at('f'))?.inode).not.toBe(before?.inode);
    });
  });

  test('a file renamed over another replaces it, and who has the old one open goes on reading it', () => {
    make('new', 'new');
    make('old', 'old');
    withFile('old', 'read', (descriptor) => {
      fileSystem.rename(at('new'), at('old'));
      expect(fileSystem.list(subject.root)).toEqual(['old']);
      expect(withFile('old', 'read', (now) => readAt(now, 10, 0))).toBe('new');
      expect(readAt(descriptor, 10, 0)).toBe('old');
    });
  });

  test('a link is one more name for the same file, and stays when the first is gone or replaced', () => {
    make('f', 'abc');
    fileSystem.link(at('f'), at('g'));
    expect(fileSystem.stat(at('g'))).toEqual(fileSystem.stat(at('f')));
    withFile('f', 'write', (descriptor) => writeAt(descriptor, 'd', 3));
    fileSystem.rename(at('f'), at('g'));
    expect(fileSystem.list(subject.root).sort()).toEqual(['f', 'g']);
    make('other');
    fileSystem.rename(at('other'), at('f'));
    expect(withFile('g', 'read', (descriptor) => readAt(descriptor, 10, 0))).toBe('abcd');
    fileSystem.makeDirectory(at('d'));
    expect(outcome(() => fileSystem.link(at('f'), at('g')))).toEqual({ code: 'EEXIST' });
    expect(outcome(() => fileSystem.link(at('none'), at('h')))).toEqual({ code: 'ENOENT' });
    expect(outcome(() => fileSystem.link(at('d'), at('h')))).toEqual({ code: 'EPERM' });
    expect(outcome(() => fileSystem.link(at('f'), at('none/h')))).toEqual({ code: 'ENOENT' });
  });

  test('a removed file that is open can be read, and written, until it is closed', () => {
    make('f', 'abc');
    withFile('f', 'write', (descriptor) => {
      fileSystem.remove(at('f'));
      expect(fileSystem.stat(at('f'))).toBeUndefined();
      writeAt(descriptor, 'd', 3);
      expect(readAt(descriptor, 10, 0)).toBe('abcd');
      make('f');
      expect(readAt(descriptor, 10, 0)).toBe('abcd');
    });
  });

  test('a directory moves with what is in it, onto nothing or an empty directory only', () => {
    fileSystem.makeDirectory(at('d/e'));
    make('d/e/f', 'abc');
    fileSystem.makeDirectory(at('empty'));
    fileSystem.makeDirectory(at('full'));
    make('full/x');
    make('file');
    expect(outcome(() => fileSystem.rename(at('d'), at('full')))).toEqual({ code: 'ENOTEMPTY' });
    expect(outcome(() => fileSystem.rename(at('d'), at('file')))).toEqual({ code: 'ENOTDIR' });
    expect(outcome(() => fileSystem.rename(at('d'), at('d/e/g')))).toEqual({ code: 'EINVAL' });
    expect(outcome(() => fileSystem.rename(at('file'), at('empty')))).toEqual({ code: 'EISDIR' });
    fileSystem.rename(at('d'), at('empty'));
    fileSystem.rename(at('empty'), at('moved'));
    expect(fileSystem.list(subject.root).sort()).toEqual(['file', 'full', 'moved']);
    expect(withFile('moved/e/f', 'read', (descriptor) => readAt(descriptor, 10, 0))).toBe('abc');
  });

  test('a lock belongs to one descriptor until that one is closed', () => {
    make('f');
    const first = fileSystem.open(at('f'), 'write');
    const second = fileSystem.open(at('f'), 'write');
    const reading = fileSystem.open(at('f'), 'read');
    expect(outcome(() => fileSystem.tryLock(reading))).toEqual({ code: 'EBADF' });
    expect(fileSystem.tryLock(first)).toBe('locked');
    expect(fileSystem.tryLock(first)).toBe('locked');
    expect(fileSystem.tryLock(second)).toBe('busy');
    // The classic locks of POSIX go away when any descriptor of the file is closed.
    fileSystem.close(reading);
    expect(fileSystem.tryLock(second)).toBe('busy');
    fileSystem.close(first);
    expect(fileSystem.tryLock(second)).toBe('locked');
    fileSystem.close(second);
  });

  test('a lease is exclusive, a directory beside its path, and gone once released or broken', async () => {
    const hold = () => fileSystem.holdLease(at('f'), () => {});
    const first = await hold();
    expect(fileSystem.stat(at('f.lock'))?.kind).toBe('directory');
    expect(first.ageMs()).toBeLessThan(60_000);
    await expect(hold()).rejects.toMatchObject({ code: 'ELOCKED' });
    await first.release();
    expect(fileSystem.list(subject.root)).toEqual([]);
    await expect(first.release()).rejects.toMatchObject({ code: 'ERELEASED' });

    const second = await hold();
    const inode = fileSystem.stat(at('f.lock'))?.inode as number;
    fileSystem.breakLease(at('f'), inode + 1)();
    await expect(hold()).rejects.toMatchObject({ code: 'ELOCKED' });
    fileSystem.breakLease(at('f'), inode)();
    expect(fileSystem.list(subject.root)).toEqual([]);
    fileSystem.breakLease(at('f'), inode)();
    await second.release();
    const third = await hold();
    await third.release();
    await expect(fileSystem.holdLease(at('none/f'), () => {})).rejects.toMatchObject({
      code: 'ENOENT',
    });
  });
});

test('any sequence of calls gives the same results on both', () => {
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 60, size: 'max' }), (operations) => {
      const real = realSubject();
      const memory = memorySubject();
      try {
        expect(trace(memory.fileSystem, memory.root, operations)).toEqual(
          trace(real.fileSystem, real.root, operations),
        );
        expect((memory.fileSystem as MemoryFileSystem).openDescriptorCount).toBe(0);
      } finally {
        real.remove();
      }
    }),
    { numRuns: 300 },
  );
});
