import { join, relative, resolve } from 'node:path';
import type { DiskImage } from '../../file-systems/disk-image.ts';
import type { TraceEvent } from '../../file-systems/trace.ts';
import type { Mark, RecordedEvent, Recording } from './recording.ts';
import { bytesOf, descriptorOf, pathIn, type SystemCall } from './system-calls.ts';

export interface TraceOptions {
  /** Absolute, without symbolic links. */
  readonly root: string;
  /** The working directory that the recorded process began in. */
  readonly cwd: string;
  readonly first: DiskImage;
  /** Names of files in the root that are left out. */
  readonly without?: readonly string[];
  /** What the directory holds now; undefined to trust the record. */
  readonly last?: DiskImage | undefined;
}

/** An opened file or directory; duplicates of a descriptor share it, and its position. */
interface Description {
  readonly inode: number | undefined;
  /** The path inside the root; undefined for what lies elsewhere. */
  readonly path: string | undefined;
  readonly isDirectory: boolean;
  readonly flags: ReadonlySet<string>;
  readonly isMarks: boolean;
  position: number;
}

/** What the threads of a process share. */
interface Process {
  readonly descriptors: Map<number, Description>;
  cwd: string;
}

interface SyncBegun {
  readonly since: number;
  readonly inFlight: readonly number[];
}

/** Makes of system calls what our own recording file system writes. */
export function traceOfCalls(calls: readonly SystemCall[], options: TraceOptions): Recording {
  return new CallReader(calls, options).read();
}

class CallReader {
  private readonly calls: readonly SystemCall[];
  private readonly options: TraceOptions;
  private readonly processes = new Map<number, Process>();
  private readonly names = new Map<string, number>();
  private readonly directories: Set<string>;
  private readonly contents = new Map<number, Buffer>();
  private readonly firstInodes = new Map<string, number>();
  private readonly events: RecordedEvent[] = [];
  private readonly marks: Mark[] = [];
  private readonly mapped = new Set<string>();
  private readonly troubles = new Set<string>();
  /** Events by the call that has begun and not returned. */
  private readonly inFlight = new Map<SystemCall, number[]>();
  private readonly syncs = new Map<SystemCall, SyncBegun>();
  /** Files that were cut to nothing and not closed since. */
  private readonly emptied = new Set<number>();
  private nextInode = 1;

  constructor(calls: readonly SystemCall[], options: TraceOptions) {
    this.calls = calls;
    this.options = options;
    this.directories = new Set(options.first.directories);
    for (const [path, bytes] of options.first.files) {
      this.firstInodes.set(path, this.nextInode);
      this.names.set(path, this.nextInode);
      this.contents.set(this.nextInode++, bytes);
    }
  }

  read(): Recording {
    // A call acts from its entry on; what it gives is there when it returns.
    const moments = this.calls.flatMap((call) => [
      { call, line: call.entered, isEntry: true },
      ...(Number.isFinite(call.returned) ? [{ call, line: call.returned, isEntry: false }] : []),
    ]);
    moments.sort((a, b) => a.line - b.line || Number(b.isEntry) - Number(a.isEntry));
    for (const { call, isEntry } of moments) {
      if (call.result < 0) {
        if (!isEntry) this.fail(call);
        continue;
      }
      if (isEntry) this.enter(call);
      else this.leave(call);
    }
    this.compareWithDisk();
    const { first } = this.options;
    return {
      first,
      inodeOf: (path) => this.firstInodes.get(path) as number,
      events: this.events,
      marks: this.marks,
      mapped: [...this.mapped],
      troubles: [...this.troubles],
      calls: this.calls.length,
    };
  }

  /**
   * A sync that failed. The kernel takes what it could not write for clean from then on, so that no
   * later sync covers it.
   */
  private fail(call: SystemCall): void {
    if ((call.name !== 'fsync' && call.name !== 'fdatasync') || call.error !== 'EIO') return;
    const { inode, path } = this.descriptor(call) ?? {};
    if (inode === undefined) return;
    const event = { kind: 'writebackFailed', inode, since: 0 } as const;
    this.sync(call, event, `${call.name}(${path}) = EIO`);
  }

  private processOf(thread: number): Process {
    let found = this.processes.get(thread);
    if (found === undefined) {
      const { cwd } = this.options;
      const standardOutput = { ...ELSEWHERE, isMarks: true, position: 0 };
      found = { descriptors: new Map([[STANDARD_OUTPUT, standardOutput]]), cwd };
      this.processes.set(thread, found);
    }
    return found;
  }

  private descriptor(call: SystemCall, argument = 0): Description | undefined {
    return this.processOf(call.thread).descriptors.get(descriptorOf(call.args[argument]));
  }

  /** The path that two arguments name, in the root; undefined when it lies elsewhere. */
  private pathAt(
    call: SystemCall,
    directory: number | undefined,
    name: number,
  ): string | undefined {
    const base =
      directory === undefined
        ? this.processOf(call.thread).cwd
        : (pathIn(call.args[directory]) ?? this.processOf(call.thread).cwd);
    return this.inRoot(resolve(base, String(bytesOf(call.args[name] ?? ''))));
  }

  private inRoot(absolute: string): string | undefined {
    const path = relative(this.options.root, absolute);
    if (path === '..' || path.startsWith('../')) return undefined;
    return this.options.without?.includes(path) ? undefined : join('/', path);
  }

  /** Devices, and files that are left out. */
  private isHarmless(absolute: string): boolean {
    if (/^\/(dev|proc|sys)\//.test(absolute)) return true;
    return this.options.without?.includes(relative(this.options.root, absolute)) === true;
  }

  private emit(call: SystemCall, event: TraceEvent, text: string): void {
    const begun = this.inFlight.get(call);
    if (begun === undefined) this.inFlight.set(call, [this.events.length]);
    else begun.push(this.events.length);
    this.events.push({ event, call: { number: call.number, text } });
  }

  private enter(call: SystemCall): void {
    switch (call.name) {
      case 'open':
      case 'creat':
        this.enterOpen(call, undefined, 0, flagsOf(call.name === 'open' ? call.args[1] : CREAT));
        break;
      case 'openat':
        this.enterOpen(call, 0, 1, flagsOf(call.args[2]));
        break;
      case 'openat2':
        this.enterOpen(call, 0, 1, flagsOf(/flags=([\w|]+)/.exec(call.args[2] ?? '')?.[1]));
        break;
      case 'write':
      case 'writev':
        this.enterWrite(call, undefined);
        break;
      case 'pwrite64':
      case 'pwritev':
        this.enterWrite(call, Number(call.args[3]));
        break;
      case 'pwritev2':
        this.enterWrite(call, Number(call.args[3]) === -1 ? undefined : Number(call.args[3]));
        break;
      case 'sendfile':
      case 'copy_file_range':
        this.enterCopy(call);
        break;
      case 'splice':
        if (this.descriptor(call, 2)?.inode !== undefined)
          this.troubles.add(`call ${call.number} splices into a file of the store`);
        break;
      case 'read':
      case 'readv': {
        const description = this.descriptor(call);
        if (description !== undefined && call.result > 0) description.position += call.result;
        break;
      }
      case 'truncate': {
        const path = this.pathAt(call, undefined, 0);
        const inode = path === undefined ? undefined : this.names.get(path);
        if (inode !== undefined) this.truncate(call, inode, Number(call.args[1]), path as string);
        break;
      }
      case 'ftruncate': {
        const { inode, path } = this.descriptor(call) ?? {};
        if (inode !== undefined) this.truncate(call, inode, Number(call.args[1]), path as string);
        break;
      }
      case 'fallocate':
        this.enterAllocate(call);
        break;
      case 'rename':
        this.enterRename(call, this.pathAt(call, undefined, 0), this.pathAt(call, undefined, 1));
        break;
      case 'renameat':
      case 'renameat2':
        if (call.args[4]?.includes('EXCHANGE'))
          this.troubles.add(`call ${call.number} exchanges two names (RENAME_EXCHANGE)`);
        this.enterRename(call, this.pathAt(call, 0, 1), this.pathAt(call, 2, 3));
        break;
      case 'link':
        this.enterLink(call, this.pathAt(call, undefined, 0), this.pathAt(call, undefined, 1));
        break;
      case 'linkat':
        this.enterLink(call, this.pathAt(call, 0, 1), this.pathAt(call, 2, 3));
        break;
      case 'symlink':
      case 'symlinkat':
        if (
          (call.name === 'symlink' ? this.pathAt(call, undefined, 1) : this.pathAt(call, 1, 2)) !==
          undefined
        )
          this.troubles.add(`call ${call.number} makes a symbolic link, which images do not hold`);
        break;
      case 'unlink':
        this.enterRemove(call, this.pathAt(call, undefined, 0), false);
        break;
      case 'rmdir':
        this.enterRemove(call, this.pathAt(call, undefined, 0), true);
        break;
      case 'unlinkat':
        this.enterRemove(call, this.pathAt(call, 0, 1), /AT_REMOVEDIR/.test(call.args[2] ?? ''));
        break;
      case 'mkdir':
      case 'mkdirat': {
        const path =
          call.name === 'mkdir' ? this.pathAt(call, undefined, 0) : this.pathAt(call, 0, 1);
        if (path === undefined) break;
        this.directories.add(path);
        this.emit(call, { kind: 'makeDirectory', path }, `mkdir(${path})`);
        break;
      }
      case 'fsync':
      case 'fdatasync':
      case 'sync':
      case 'syncfs':
        this.syncs.set(call, {
          since: this.events.length,
          inFlight: [...this.inFlight.values()].flat(),
        });
        break;
      // Another thread may get the number again before a close has returned.
      case 'close': {
        const { inode } = this.descriptor(call) ?? {};
        this.processOf(call.thread).descriptors.delete(descriptorOf(call.args[0]));
        if (inode === undefined || !this.emptied.delete(inode)) break;
        this.sync(call, { kind: 'closedAfterTruncate', inode }, 'close');
        break;
      }
      case 'clone':
      case 'clone3':
      case 'fork':
      case 'vfork': {
        // Whoever is begun may do something before whoever begins it goes on.
        const process = this.processOf(call.thread);
        const shares = call.args.join().includes('CLONE_FILES');
        this.processes.set(
          call.result,
          shares ? process : { descriptors: new Map(process.descriptors), cwd: process.cwd },
        );
        break;
      }
      case 'mmap':
        this.enterMap(call);
        break;
      case 'io_uring_setup':
        this.troubles.add('it writes through io_uring, which system calls do not show');
    }
  }

  private enterOpen(
    call: SystemCall,
    directory: number | undefined,
    name: number,
    flags: ReadonlySet<string>,
  ): void {
    const path = this.pathAt(call, directory, name);
    if (path === undefined || flags.has('O_TMPFILE')) return;
    const inode = this.names.get(path);
    if (inode === undefined) {
      if (!flags.has('O_CREAT') || this.directories.has(path)) return;
      this.names.set(path, this.nextInode);
      this.contents.set(this.nextInode, NO_BYTES);
      const event = { kind: 'create', path, inode: this.nextInode++ } as const;
      this.emit(call, event, `open(${path}, O_CREAT)`);
    } else if (flags.has('O_TRUNC') && this.sizeOf(inode) > 0) {
      this.truncate(call, inode, 0, path, 'open with O_TRUNC');
    }
  }

  private sizeOf(inode: number): number {
    return this.contents.get(inode)?.length ?? 0;
  }

  private enterWrite(call: SystemCall, at: number | undefined): void {
    const description = this.descriptor(call);
    if (description === undefined) return;
    const bytes = Buffer.concat(
      (call.args[1]?.startsWith('[')
        ? [...call.args[1].matchAll(/iov_base=("[^"]*")/g)].map((part) => part[1] as string)
        : [call.args[1] ?? '']
      ).map(bytesOf),
    );
    const written = Number.isNaN(call.result) ? bytes : bytes.subarray(0, call.result);
    if (description.isMarks) this.mark(call, written);
    const { inode, path } = description;
    if (inode === undefined) return;
    this.write(call, description, at, written, `${call.name}(${path}`);
  }

  private write(
    call: SystemCall,
    description: Description,
    at: number | undefined,
    bytes: Buffer,
    text: string,
  ): void {
    const inode = description.inode as number;
    const isAppended = description.flags.has('O_APPEND');
    const position = isAppended ? this.sizeOf(inode) : (at ?? description.position);
    if (at === undefined) description.position = position + bytes.length;
    if (bytes.length === 0) return;
    const before = this.contents.get(inode) ?? NO_BYTES;
    const after = Buffer.alloc(Math.max(before.length, position + bytes.length));
    before.copy(after);
    bytes.copy(after, position);
    this.contents.set(inode, after);
    this.emit(
      call,
      { kind: 'write', inode, position, bytes },
      `${text}, ${bytes.length} bytes at ${position})`,
    );
  }

  private mark(call: SystemCall, bytes: Buffer): void {
    for (const text of String(bytes).split('\n'))
      if (text !== '') this.marks.push({ text, at: this.events.length, call: call.number });
  }

  private enterCopy(call: SystemCall): void {
    const isSend = call.name === 'sendfile';
    const to = this.descriptor(call, isSend ? 0 : 2);
    const from = this.descriptor(call, isSend ? 1 : 0);
    if (!(call.result > 0)) return;
    const offset = /\[(\d+)/.exec(call.args[isSend ? 2 : 1] ?? '')?.[1];
    const start = offset === undefined ? (from?.position ?? 0) : Number(offset);
    if (from !== undefined && offset === undefined) from.position += call.result;
    if (to?.inode === undefined) return;
    if (from?.inode === undefined) {
      this.troubles.add(
        `call ${call.number} copies into the store from a file that lies elsewhere`,
      );
      return;
    }
    const bytes = Buffer.from(
      (this.contents.get(from.inode) ?? NO_BYTES).subarray(start, start + call.result),
    );
    const at = isSend ? undefined : /\[(\d+)/.exec(call.args[3] ?? '')?.[1];
    this.write(
      call,
      to,
      at === undefined ? undefined : Number(at),
      bytes,
      `${call.name}(${from.path} to ${to.path}`,
    );
  }

  private truncate(
    call: SystemCall,
    inode: number,
    sizeBytes: number,
    path: string,
    how = 'truncate',
  ): void {
    const before = this.contents.get(inode) ?? NO_BYTES;
    const after = Buffer.alloc(sizeBytes);
    before.copy(after, 0, 0, sizeBytes);
    this.contents.set(inode, after);
    if (sizeBytes === 0 && before.length > 0) this.emptied.add(inode);
    this.emit(call, { kind: 'truncate', inode, sizeBytes }, `${how}(${path}, ${sizeBytes})`);
  }

  /** Its modes: bytes that are made zero are written; space that is only kept changes nothing. */
  private enterAllocate(call: SystemCall): void {
    const description = this.descriptor(call);
    if (description?.inode === undefined) return;
    const { inode, path } = description;
    const [mode = '', offset, length] = call.args.slice(1);
    const [from, to] = [Number(offset), Number(offset) + Number(length)];
    if (/COLLAPSE|INSERT|UNSHARE/.test(mode)) {
      this.troubles.add(`call ${call.number} is fallocate with ${mode}, which images do not know`);
      return;
    }
    const end = mode.includes('KEEP_SIZE') ? Math.min(to, this.sizeOf(inode)) : to;
    if (/PUNCH|ZERO/.test(mode) && from < Math.min(end, this.sizeOf(inode))) {
      const zeros = Buffer.alloc(Math.min(end, this.sizeOf(inode)) - from);
      this.write(call, { ...description, flags: NO_FLAGS }, from, zeros, `fallocate(${path}`);
    }
    if (end > this.sizeOf(inode)) this.truncate(call, inode, end, path as string, 'fallocate');
  }

  private enterRename(call: SystemCall, from: string | undefined, to: string | undefined): void {
    if (from === undefined && to === undefined) return;
    if (from === undefined || to === undefined) {
      this.troubles.add(`call ${call.number} moves a file across the edge of the directory`);
      return;
    }
    const inode = this.names.get(from);
    if (inode === undefined && !this.directories.has(from)) return;
    this.emit(call, { kind: 'rename', from, to, inode }, `rename(${from}, ${to})`);
    if (inode !== undefined) {
      this.names.delete(from);
      this.names.set(to, inode);
      return;
    }
    const moved = (path: string) =>
      path === from || path.startsWith(`${from}/`) ? to + path.slice(from.length) : undefined;
    for (const path of [...this.directories]) {
      const after = moved(path);
      if (after !== undefined && this.directories.delete(path)) this.directories.add(after);
    }
    for (const [path, file] of [...this.names]) {
      const after = moved(path);
      if (after !== undefined && this.names.delete(path)) this.names.set(after, file);
    }
  }

  private enterLink(call: SystemCall, from: string | undefined, to: string | undefined): void {
    if (to === undefined) return;
    // A file without a name gets its first one as /proc/self/fd/N.
    const unnamed = /\/fd\/(\d+)$/.exec(
      String(bytesOf(call.args[call.args.length > 2 ? 1 : 0] ?? '')),
    );
    const inode =
      from === undefined
        ? this.processOf(call.thread).descriptors.get(Number(unnamed?.[1]))?.inode
        : this.names.get(from);
    if (inode === undefined) {
      this.troubles.add(`call ${call.number} links a file that lies outside the directory`);
      return;
    }
    this.names.set(to, inode);
    this.emit(call, { kind: 'create', path: to, inode }, `link(${from ?? 'a file'}, ${to})`);
  }

  private enterRemove(call: SystemCall, path: string | undefined, isDirectory: boolean): void {
    if (path === undefined) return;
    if (isDirectory) {
      this.directories.delete(path);
      this.emit(call, { kind: 'removeDirectory', path }, `rmdir(${path})`);
    } else {
      this.names.delete(path);
      this.emit(call, { kind: 'remove', path }, `unlink(${path})`);
    }
  }

  private enterMap(call: SystemCall): void {
    const [, , protection = '', flags = ''] = call.args;
    const description = this.descriptor(call, 4);
    if (description?.path === undefined || description.isDirectory) return;
    if (/MAP_SHARED/.test(flags) && protection.includes('PROT_WRITE'))
      this.mapped.add(description.path);
  }

  private leave(call: SystemCall): void {
    const process = this.processOf(call.thread);
    const { descriptors } = process;
    const done = this.inFlight.get(call) ?? [];
    this.inFlight.delete(call);
    switch (call.name) {
      case 'open':
      case 'creat':
      case 'openat':
      case 'openat2':
        this.leaveOpen(call, process);
        break;
      case 'dup':
      case 'dup2':
      case 'dup3':
      case 'fcntl': {
        const description = this.descriptor(call);
        const isDup = call.name !== 'fcntl' || call.args[1]?.startsWith('F_DUPFD');
        if (isDup && description !== undefined) descriptors.set(call.result, description);
        break;
      }
      case 'lseek': {
        const description = this.descriptor(call);
        if (description !== undefined) description.position = call.result;
        break;
      }
      case 'chdir':
        process.cwd = resolve(process.cwd, String(bytesOf(call.args[0] ?? '')));
        break;
      case 'fchdir':
        process.cwd = pathIn(call.args[0]) ?? process.cwd;
        break;
      case 'fsync':
      case 'fdatasync': {
        const { inode, isDirectory, path } = this.descriptor(call) ?? {};
        const begun = this.syncs.get(call);
        if (path === undefined || begun === undefined) break;
        const text = `${call.name}(${path})`;
        if (isDirectory) this.sync(call, { kind: 'directorySync', path, ...begun }, text);
        else if (inode !== undefined) {
          const onlyData = call.name === 'fdatasync' ? { onlyData: true as const } : {};
          this.sync(call, { kind: 'dataSync', inode, ...begun, ...onlyData }, text);
        }
        break;
      }
      case 'sync':
      case 'syncfs':
        this.syncAll(call);
        break;
      case 'write':
      case 'writev':
      case 'pwrite64':
      case 'pwritev':
      case 'pwritev2': {
        const { inode, flags, path } = this.descriptor(call) ?? {};
        const isSynced = flags?.has('O_SYNC') || flags?.has('O_DSYNC');
        const isAsked = /RWF_D?SYNC/.test(call.args[4] ?? '');
        if (inode === undefined || !(isSynced || isAsked) || done.length === 0) break;
        // It covers its own bytes only.
        const first = done[0] as number;
        const others = this.events.flatMap(({ event }, at) =>
          at < first && 'inode' in event && event.inode === inode ? [at] : [],
        );
        const sync = {
          kind: 'dataSync',
          inode,
          since: first + done.length,
          inFlight: others,
        } as const;
        this.sync(call, sync, `the O_DSYNC of ${path}`);
      }
    }
  }

  private sync(call: SystemCall, event: TraceEvent, text: string): void {
    this.events.push({ event, call: { number: call.number, text } });
  }

  private syncAll(call: SystemCall): void {
    const begun = this.syncs.get(call);
    if (begun === undefined) return;
    for (const inode of this.contents.keys())
      this.sync(call, { kind: 'dataSync', inode, ...begun }, `${call.name}()`);
    for (const path of this.directories)
      this.sync(call, { kind: 'directorySync', path, ...begun }, `${call.name}()`);
  }

  private leaveOpen(call: SystemCall, { descriptors }: Process): void {
    const absolute = call.resultPath?.replace(/ \(deleted\)$/, '');
    if (absolute === undefined) return;
    const flags = flagsOf(
      call.name === 'creat'
        ? CREAT
        : call.name === 'openat2'
          ? /flags=([\w|]+)/.exec(call.args[2] ?? '')?.[1]
          : call.args[call.name === 'open' ? 1 : 2],
    );
    const path = this.inRoot(absolute);
    const isWritten = flags.has('O_WRONLY') || flags.has('O_RDWR');
    if (path === undefined && isWritten && !this.isHarmless(absolute))
      this.troubles.add(`it writes outside its directory: ${absolute}`);
    let inode = path === undefined ? undefined : this.names.get(path);
    const isDirectory = path !== undefined && this.directories.has(path);
    if (flags.has('O_TMPFILE') && path !== undefined) {
      inode = this.nextInode++;
      this.contents.set(inode, NO_BYTES);
    }
    descriptors.set(call.result, {
      inode,
      path,
      isDirectory: isDirectory && inode === undefined,
      flags,
      isMarks: false,
      position: 0,
    });
  }

  /** The record is whole only when it comes to what is there. */
  private compareWithDisk(): void {
    const { last } = this.options;
    if (last === undefined) return;
    for (const path of new Set([...this.names.keys(), ...last.files.keys()])) {
      if (this.mapped.has(path) || this.options.without?.includes(path.slice(1))) continue;
      const inode = this.names.get(path);
      const recorded = inode === undefined ? undefined : this.contents.get(inode);
      const found = last.files.get(path);
      if (found !== undefined && recorded !== undefined && found.equals(recorded)) continue;
      this.troubles.add(
        `${path} holds ${found === undefined ? 'nothing' : `${found.length} bytes`}, and its system calls come to ${recorded === undefined ? 'nothing' : `${recorded.length} bytes${recorded.length === found?.length ? ' that differ' : ''}`}`,
      );
    }
    for (const path of this.directories)
      if (!last.directories.has(path)) this.troubles.add(`the directory ${path} is not there`);
  }
}

const NO_BYTES = Buffer.alloc(0);
const STANDARD_OUTPUT = 1;
const CREAT = 'O_WRONLY|O_CREAT|O_TRUNC';
const NO_FLAGS: ReadonlySet<string> = new Set();
const ELSEWHERE = { inode: undefined, path: undefined, isDirectory: false, flags: NO_FLAGS };

function flagsOf(text: string | undefined): ReadonlySet<string> {
  return new Set(text?.split('|'));
}
