import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import { dirname } from 'node:path';
import lockfile from 'proper-lockfile';
import type { FileStat, FileSystem, KernelLockResult, Lease, OpenMode } from './file-system.ts';
import { LEASE_STALE_MS } from './file-system.ts';
import { installedPart } from './installed-part.ts';
import { inOwnContext } from './own-context.ts';
import { runtime } from './runtime.ts';

/**
 * proper-lockfile (by signal-exit) listens to every signal that ends a process, and ends it when
 * nobody else listens. Node ignores SIGXFSZ, so that a write beyond the limit on file sizes fails
 * with EFBIG: with a second listener it still does.
 */
if (process.platform !== 'win32') process.on('SIGXFSZ', () => {});

/** The real file system. The only engine file that imports `node:fs`. */
export class NodeFileSystem implements FileSystem {
  freeBytes(path: string): number {
    const { bavail, bsize } = fs.statfsSync(path);
    return bavail * bsize;
  }

  list(directory: string): string[] {
    return fs.readdirSync(directory);
  }

  stat(path: string): FileStat | undefined {
    const stats = fs.statSync(path, { throwIfNoEntry: false });
    return stats === undefined ? undefined : toFileStat(stats);
  }

  realPath(path: string): string {
    return fs.realpathSync.native(path);
  }

  statDescriptor(descriptor: number): FileStat {
    return toFileStat(fs.fstatSync(descriptor));
  }

  makeDirectory(path: string): string | undefined {
    checkSyncs();
    if (fs.lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink()) {
      throw Object.assign(new Error(`ELOOP: ${path} is a symbolic link`), { code: 'ELOOP' });
    }
    // One by one: Node's own recursion does not end in a place such as /proc, where nothing can be
    // made.
    const missing: string[] = [];
    for (let at = path; !fs.existsSync(at); at = dirname(at)) missing.unshift(at);
    let topmost: string | undefined;
    for (const directory of missing.length === 0 ? [path] : missing) {
      try {
        fs.mkdirSync(directory, { mode: 0o700 });
        topmost ??= directory;
      } catch (error) {
        // It was there, or another process has just made it.
        if (!fs.statSync(directory, { throwIfNoEntry: false })?.isDirectory()) throw error;
      }
    }
    return topmost;
  }

  rename(from: string, to: string): void {
    fs.renameSync(from, to);
  }

  link(existing: string, path: string): void {
    fs.linkSync(existing, path);
    // A symbolic link becomes a second link, to something that another may take away.
    if (!fs.lstatSync(path).isSymbolicLink()) return;
    fs.unlinkSync(path);
    throw Object.assign(new Error(`ELOOP: ${existing} is a symbolic link`), { code: 'ELOOP' });
  }

  remove(path: string): void {
    fs.unlinkSync(path);
  }

  removeDirectory(path: string): void {
    fs.rmdirSync(path);
  }

  open(path: string, mode: OpenMode): number {
    if (mode !== 'read') checkSyncs();
    return fs.openSync(path, OPEN_FLAGS[mode], 0o600);
  }

  close(descriptor: number): void {
    fs.closeSync(descriptor);
  }

  closeAsync(descriptor: number): Promise<void> {
    return new Promise((resolve, reject) => {
      fs.close(descriptor, settle(resolve, reject));
    });
  }

  read(
    descriptor: number,
    buffer: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): number {
    return fs.readSync(descriptor, buffer, offset, length, position);
  }

  readAsync(
    descriptor: number,
    buffer: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): Promise<number> {
    return new Promise((resolve, reject) => {
      fs.read(descriptor, buffer, offset, length, position, (error, count) => {
        if (error === null) resolve(count);
        else reject(error);
      });
    });
  }

  write(
    descriptor: number,
    buffer: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): number {
    return fs.writeSync(descriptor, buffer, offset, length, position);
  }

  writeVector(descriptor: number, buffers: readonly Uint8Array[], position: number): number {
    return fs.writevSync(descriptor, buffers as Uint8Array[], position);
  }

  truncate(descriptor: number, sizeBytes: number): void {
    fs.ftruncateSync(descriptor, sizeBytes);
  }

  dataSync(descriptor: number): void {
    fs.fdatasyncSync(descriptor);
  }

  dataSyncAsync(descriptor: number): Promise<void> {
    return new Promise((resolve, reject) => {
      fs.fdatasync(descriptor, settle(resolve, reject));
    });
  }

  directorySync(path: string): void {
    checkSyncs();
    const descriptor = fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY);
    try {
      fs.fsyncSync(descriptor);
    } finally {
      fs.closeSync(descriptor);
    }
  }

  async directorySyncAsync(path: string): Promise<void> {
    const descriptor = fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY);
    try {
      await new Promise<void>((resolve, reject) => {
        fs.fsync(descriptor, settle(resolve, reject));
      });
    } finally {
      fs.closeSync(descriptor);
    }
  }

  tryLock(descriptor: number): KernelLockResult {
    const locks = kernelLocks();
    if (locks === undefined) return 'unsupported';
    try {
      return locks.tryLock(descriptor) ? 'locked' : 'busy';
    } catch (error) {
      // Some network file systems have no kernel locks; the lease stands in for them there.
      const code = (error as NodeJS.ErrnoException).code ?? '';
      if (['ENOLCK', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EINVAL'].includes(code))
        return 'unsupported';
      throw error;
    }
  }

  async holdLease(path: string, onCompromised: (error: Error) => void): Promise<Lease> {
    let refreshedAt = performance.now();
    const ageMs = () => performance.now() - refreshedAt;
    let own: fs.Stats | undefined;
    // By its name alone a lease cannot be known: the directory may be another one by now.
    const isOwn = (stats: fs.Stats | undefined) =>
      own !== undefined && stats?.ino === own.ino && stats.dev === own.dev;
    const lookAt = (target: fs.PathLike) => fs.statSync(target, { throwIfNoEntry: false });
    const gone = () => Object.assign(new Error('the lease is another one now'), { code: 'ENOENT' });
    // The refresh is a `utimes` of the lease directory. Its time is taken before the call, so that
    // the age is never understated.
    const observedFs: typeof fs = {
      ...fs,
      mkdir: ((target: fs.PathLike, callback: fs.NoParamCallback) => {
        fs.mkdir(target, { mode: 0o700 }, (error) => {
          if (error === null) own = lookAt(target);
          callback(error);
        });
      }) as typeof fs.mkdir,
      utimes: ((target: fs.PathLike, atime: Date, mtime: Date, callback: fs.NoParamCallback) => {
        const startedAt = performance.now();
        if (!isOwn(lookAt(target))) return void setImmediate(callback, gone());
        // Once it was stale somebody else may have had it meanwhile: its age goes on growing.
        const wasStale = ageMs() > LEASE_STALE_MS;
        fs.utimes(target, atime, mtime, (error) => {
          if (error === null && !wasStale) refreshedAt = startedAt;
          callback(error);
        });
      }) as typeof fs.utimes,
      rmdir: ((target: fs.PathLike, callback: fs.NoParamCallback) => {
        if (own !== undefined && !isOwn(lookAt(target))) setImmediate(callback, gone());
        else fs.rmdir(target, callback);
      }) as typeof fs.rmdir,
      rmdirSync: (target: fs.PathLike) => {
        if (isOwn(lookAt(target))) fs.rmdirSync(target);
      },
    };
    // Its name among the leases of this process: another store may stand at the path by the time
    // that this one is given back.
    const release = await inOwnContext(() =>
      lockfile.lock(`${path}#${randomBytes(6).toString('hex')}`, {
        lockfilePath: `${path}.lock`,
        realpath: false,
        stale: LEASE_STALE_MS,
        update: LEASE_STALE_MS / 4,
        onCompromised,
        fs: observedFs,
      }),
    );
    return { ageMs, release };
  }

  breakLease(path: string, inode: number): () => void {
    const lease = `${path}.lock`;
    // Who takes it aside for a moment makes the one who has just made it stumble.
    if (fs.statSync(lease, { throwIfNoEntry: false })?.ino !== inode) return () => {};
    const aside = `${lease}.broken-${randomBytes(6).toString('hex')}`;
    try {
      fs.renameSync(lease, aside);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return () => {};
      throw error;
    }
    // Somebody else may have broken it and taken their own in between.
    if (fs.statSync(aside).ino === inode) return () => fs.rmSync(aside, { recursive: true });
    fs.renameSync(aside, lease);
    return () => {};
  }
}

/**
 * Node's permission model takes `fsync` away, whatever else it allows. Nothing could be promised of
 * what is written, so nothing is begun.
 */
function checkSyncs(): void {
  if (process.permission === undefined) return;
  throw Object.assign(
    new Error(
      'under the permission model (--permission) Node allows no fsync, so that nothing can be made durable. Write in a process without it; openReader works with it, given --allow-fs-read',
    ),
    { code: 'ERR_ACCESS_DENIED' },
  );
}

/** Absent on Windows. */
const NONBLOCK = fs.constants.O_NONBLOCK ?? 0;
const NOFOLLOW = fs.constants.O_NOFOLLOW ?? 0;

const OPEN_FLAGS: Record<OpenMode, number> = {
  // Opening a FIFO to read it waits for a writer, unless told not to; of a regular file O_NONBLOCK
  // means nothing.
  read: fs.constants.O_RDONLY | NONBLOCK,
  // A directory of a stranger may hold a symbolic link under any name: nothing is ever written
  // through one.
  write: fs.constants.O_RDWR | NONBLOCK | NOFOLLOW,
  create: fs.constants.O_RDWR | fs.constants.O_CREAT | fs.constants.O_EXCL,
};

interface KernelLocks {
  tryLock(descriptor: number): boolean;
}

/** Undefined until a writer asks for a lock: a reader never loads the addon. */
let loadedLocks: { readonly addon: KernelLocks | undefined } | undefined;

/**
 * The prebuilt addon, or undefined on a platform that it was not built for. It calls libuv, which
 * Bun and Deno do not have: there the lease stands in for it.
 */
function kernelLocks(): KernelLocks | undefined {
  loadedLocks ??= { addon: loadKernelLocks() };
  return loadedLocks.addon;
}

function loadKernelLocks(): KernelLocks | undefined {
  if (!runtime.loadsNodeAddons) return undefined;
  try {
    return installedPart('fs-native-extensions') as KernelLocks;
  } catch {
    return undefined;
  }
}

/** Magic numbers of statfs(2) on Linux. */
const FILE_SYSTEMS: Readonly<Record<number, string>> = {
  61267: 'ext4',
  1481003842: 'xfs',
  2435016766: 'btrfs',
  801189825: 'zfs',
  4076150800: 'f2fs',
  2035054128: 'overlayfs',
  16914836: 'tmpfs',
  2240043254: 'ramfs',
  26985: 'nfs',
  4283649346: 'cifs',
  4266872130: 'smb2',
  1702057286: 'fuse',
  16914839: '9p',
};

/** The kind of file system that a path lies on; its number where it has no name here. */
export function fileSystemName(path: string): string {
  const { type } = fs.statfsSync(path);
  const name = process.platform === 'linux' ? FILE_SYSTEMS[type] : undefined;
  return name ?? `0x${type.toString(16)}`;
}

function toFileStat(stats: fs.Stats): FileStat {
  return {
    kind: stats.isFile() ? 'file' : stats.isDirectory() ? 'directory' : 'other',
    sizeBytes: stats.size,
    device: stats.dev,
    inode: stats.ino,
    modifiedMs: stats.mtimeMs,
  };
}

function settle(resolve: () => void, reject: (error: Error) => void): fs.NoParamCallback {
  return (error) => {
    if (error === null) resolve();
    else reject(error);
  };
}
