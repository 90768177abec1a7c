import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { MemoryFileSystem } from '../../harness/crash/memory-file-system.ts';
import { type FileSystem, NodeFileSystem, type OpenMode } from '../../src/engine/index.ts';

/**
 * What the engine relies on, held against the real file system and the one in memory. Crash states are enumerated on
 * the latter: where it were kinder than the disk, the proof would be worth nothing.
 */
interface Subject {
  readonly fileSystem: FileSystem;
  readonly root: string;
  readonly remove: () => void;
}

function realSubject(): Subject {
  const root = mkdtempSync(join(tmpdir(), 'tidemark-contract-'));
  return { fileSystem: new NodeFileSystem(), root, remove: () => rmSync(root, { recursive: true }) };
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

/** What a call gives: its value, or the code it fails with. */
function outcome(call: () => unknown): unknown {
  try {
    return { value: call() };
  } catch (error) {
    return { code: (error as { code?: unknown }).code };
  }
}

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
    return buffer.subarray(0, fileSystem.read(descriptor, buffer, 0, length, position)).toString('latin1');
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
    fileSystem.breakLease(at('f'));
    expect(fileSystem.list(subject.root)).toEqual([]);
    fileSystem.breakLease(at('f'));
    await second.release();
    const third = await hold();
    await third.release();
    await expect(fileSystem.holdLease(at('none/f'), () => {})).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

type Operation =
  | { readonly call: 'list' | 'stat' | 'makeDirectory' | 'remove' | 'removeDirectory'; readonly path: string }
  | { readonly call: 'directorySync'; readonly path: string }
  | { readonly call: 'rename'; readonly path: string; readonly to: string }
  | { readonly call: 'open'; readonly path: string; readonly mode: OpenMode }
  | { readonly call: 'close' | 'tryLock' | 'dataSync' | 'statDescriptor'; readonly slot: number }
  | { readonly call: 'read'; readonly slot: number; readonly length: number; readonly position: number }
  | {
      readonly call: 'write' | 'writeVector';
      readonly slot: number;
      readonly bytes: string;
      readonly position: number;
    }
  | { readonly call: 'truncate'; readonly slot: number; readonly position: number };

const path = fc.constantFrom('a', 'b', 'd', 'd/a', 'd/b', 'd/e', 'a/x', 'd/e/a', 'none/a');
const slot = fc.nat(5);
const position = fc.oneof(fc.nat(20), fc.nat(3000));
const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 2, arbitrary: fc.record({ call: fc.constant('makeDirectory' as const), path }) },
  {
    weight: 2,
    arbitrary: fc.record({
      call: fc.constantFrom('list' as const, 'stat', 'remove', 'removeDirectory', 'directorySync'),
      path,
    }),
  },
  { weight: 3, arbitrary: fc.record({ call: fc.constant('rename' as const), path, to: path }) },
  {
    weight: 6,
    arbitrary: fc.record({
      call: fc.constant('open' as const),
      path,
      mode: fc.constantFrom('create' as const, 'write', 'read'),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      call: fc.constantFrom('close' as const, 'tryLock', 'dataSync', 'statDescriptor'),
      slot,
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ call: fc.constant('read' as const), slot, length: fc.nat(4000), position }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      call: fc.constantFrom('write' as const, 'writeVector'),
      slot,
      bytes: fc.string({ maxLength: 12 }),
      position,
    }),
  },
  { weight: 2, arbitrary: fc.record({ call: fc.constant('truncate' as const), slot, position }) },
);

/** Runs operations and says what each gave, in words that do not depend on the file system. */
function trace({ fileSystem, root }: Subject, operations: readonly Operation[]): unknown[] {
  const descriptors: number[] = [];
  const apply = (step: Operation): unknown => {
    if (!('slot' in step)) {
      const target = join(root, step.path);
      switch (step.call) {
        case 'open':
          return void descriptors.push(fileSystem.open(target, step.mode));
        case 'rename':
          return fileSystem.rename(target, join(root, step.to));
        case 'list':
          return fileSystem.list(target).sort();
        case 'stat':
          return describeStat(fileSystem.stat(target));
        case 'makeDirectory':
          return fileSystem.makeDirectory(target)?.slice(root.length);
        default:
          return fileSystem[step.call](target);
      }
    }
    const index = step.slot % Math.max(descriptors.length, 1);
    const descriptor = descriptors[index];
    if (descriptor === undefined) return 'nothing is open';
    switch (step.call) {
      case 'close':
        descriptors.splice(index, 1);
        return fileSystem.close(descriptor);
      case 'statDescriptor':
        return describeStat(fileSystem.statDescriptor(descriptor));
      case 'read': {
        const buffer = Buffer.alloc(step.length);
        const count = fileSystem.read(descriptor, buffer, 0, step.length, step.position);
        return [count, buffer.toString('latin1')];
      }
      case 'write': {
        const bytes = Buffer.from(step.bytes);
        return fileSystem.write(descriptor, bytes, 0, bytes.length, step.position);
      }
      case 'writeVector': {
        const bytes = Buffer.from(step.bytes);
        const parts = [bytes.subarray(0, 3), bytes.subarray(3)];
        return fileSystem.writeVector(descriptor, parts, step.position);
      }
      case 'truncate':
        return fileSystem.truncate(descriptor, step.position);
      default:
        return fileSystem[step.call](descriptor);
    }
  };
  const results = operations.map((step) => outcome(() => apply(step)));
  for (const descriptor of descriptors) fileSystem.close(descriptor);
  return results;
}

function describeStat(stat: ReturnType<FileSystem['stat']>): unknown {
  return stat?.kind === 'file' ? [stat.kind, stat.sizeBytes] : stat?.kind;
}

test('any sequence of calls gives the same results on both', () => {
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 60, size: 'max' }), (operations) => {
      const real = realSubject();
      const memory = memorySubject();
      try {
        expect(trace(memory, operations)).toEqual(trace(real, operations));
        expect((memory.fileSystem as MemoryFileSystem).openDescriptorCount).toBe(0);
      } finally {
        real.remove();
      }
    }),
    { numRuns: 300 },
  );
});
