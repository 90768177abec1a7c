import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

const MIB = 1024 * 1024;
const DISK_BYTES = 64 * MIB;
/** The shelf holds the disk whole, and a journal of its own. */
const SHELF_BYTES = 96 * MIB;

/** Tools for file systems often stand where only root's path leads. */
export const TOOL_ENVIRONMENT = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` };

/**
 * ext4 on a loop device, whose backing file can be copied as it was at one moment, while somebody
 * writes.
 *
 * The backing file lies on a second loop-mounted ext4, the shelf, which is frozen while it is
 * copied. A loop device serves each request by reading or writing its backing file, so from the
 * moment when the freeze is complete no request that changes anything ends, and none is half done:
 * freezing waits for the writes under way and holds back the next. Nothing above is told. The file
 * system under test does not quiesce, whoever waits in a sync goes on waiting, and whatever
 * requests stand in the queue stand there. So the copy holds every write that the device had
 * reported as done, of those still in the queue the ones it had carried out, and of the page cache
 * of the inner file system nothing: what a disk holds whose power goes at that moment, when it
 * loses nothing that it has taken. `block-mix` makes the images of one that does.
 */
export class BlockDisk {
  /** Where its file system is mounted. */
  readonly root: string;
  private readonly memory: string;
  private readonly shelf: string;
  private readonly backingFile: string;
  private readonly statistics: string;

  /**
   * Makes it in an empty directory. Needs root, in a mount namespace of its own: with that,
   * everything goes away.
   */
  constructor(directory: string) {
    this.memory = join(directory, 'memory');
    this.shelf = join(directory, 'shelf');
    this.root = join(directory, 'root');
    this.backingFile = join(this.shelf, 'disk.img');
    // In memory: freezing writes back the whole shelf, and a short freeze finds more of what goes
    // on in between.
    mkdirSync(this.memory);
    run('mount', ['-t', 'tmpfs', '-o', `size=${2 * SHELF_BYTES}`, 'tmpfs', this.memory]);
    makeFileSystem(join(this.memory, 'shelf.img'), SHELF_BYTES);
    mountImage(join(this.memory, 'shelf.img'), this.shelf);
    makeFileSystem(this.backingFile, DISK_BYTES);
    mountImage(this.backingFile, this.root);
    this.statistics = `/sys/dev/block/${deviceNumbers(this.root)}/stat`;
  }

  /**
   * Copies it as it is at two moments, one soon after the other, from the call on. `between` is a
   * directory whose files are written back between the two.
   */
  async copyTwice(
    paths: readonly [string, string],
    between?: string,
  ): Promise<[BlockCopy, BlockCopy]> {
    const first = await this.copy(paths[0]);
    if (between !== undefined) this.writeBack(between);
    return [first, await this.copy(paths[1])];
  }

  private async copy(path: string): Promise<BlockCopy> {
    // In a process and a session of its own: it thaws the shelf whoever is killed or interrupted
    // meanwhile.
    const words = [this.shelf, this.backingFile, this.statistics, path];
    const child = spawn('sh', ['-c', COPY_SCRIPT, 'sh', ...words], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: TOOL_ENVIRONMENT,
      detached: true,
    });
    let text = '';
    let errors = '';
    child.stdout.setEncoding('latin1').on('data', (chunk: string) => {
      text += chunk;
    });
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      errors += chunk;
    });
    const [code] = await once(child, 'close');
    if (code !== 0) throw new Error(`the disk was not copied: ${errors.trim()}`);
    return parseStatistics(text);
  }

  /**
   * Makes the kernel write back what lies in its cache of the files under `directory`, as it may do
   * at any moment, without a flush of the device.
   */
  writeBack(directory: string): void {
    const number = SYNC_FILE_RANGE[process.arch];
    if (number === undefined) return;
    spawnSync('perl', ['-e', WRITE_BACK, String(number), directory], { stdio: 'ignore' });
  }

  close(): void {
    unmount(this.root);
    unmount(this.shelf);
    unmount(this.memory);
  }
}

/** Its number; nothing in Node or in the tools of a base system calls it. */
const SYNC_FILE_RANGE: Readonly<Record<string, number>> = { x64: 277, arm64: 84 };
/** 7: waits for what is under way, writes the rest, and waits for that. */
const WRITE_BACK = `
  my ($call, @todo) = @ARGV;
  while (defined(my $path = shift @todo)) {
    if (-d $path) { opendir(my $d, $path) or next; push @todo, map { "$path/$_" } grep { !/^\\.\\.?$/ } readdir $d; next }
    next unless -f $path;
    open(my $file, '+<', $path) or next;
    syscall($call + 0, fileno($file), 0, 0, 7);
  }`;

/** What the device said of itself while it stood still. */
export interface BlockCopy {
  readonly requestsInFlight: number;
  /** Flushes of the device that had ended. */
  readonly flushes: number;
}

/** Fields of `/sys/dev/block/…/stat`, from 0. */
const STATISTIC = { inFlight: 8, flushes: 15 } as const;

function parseStatistics(line: string): BlockCopy {
  const fields = line.trim().split(/\s+/).map(Number);
  return {
    requestsInFlight: fields[STATISTIC.inFlight] as number,
    flushes: fields[STATISTIC.flushes] as number,
  };
}

/** `mountpoint` keeps it from freezing whatever the shelf should have been mounted on. */
const COPY_SCRIPT = `
  mountpoint -q "$1" || exit 1
  fsfreeze --freeze "$1" || exit 1
  cat "$3" && cp --sparse=always "$2" "$4"
  status=$?
  fsfreeze --unfreeze "$1"
  exit $status`;

export function makeFileSystem(path: string, sizeBytes: number): void {
  // Whatever mkfs leaves for later would be written by the kernel while the disk is in use.
  const now = 'lazy_itable_init=0,lazy_journal_init=0';
  run('truncate', ['--size', String(sizeBytes), path]);
  run('mkfs.ext4', ['-q', '-F', '-b', '4096', '-E', now, path]);
}

export function mountImage(path: string, at: string): void {
  mkdirSync(at, { recursive: true });
  run('mount', ['-t', 'ext4', '-o', 'loop,noatime', path, at]);
}

export function unmount(at: string): void {
  run('umount', [at]);
}

/** Holes stay holes. */
export function copySparse(from: string, to: string): void {
  run('cp', ['--sparse=always', from, to]);
}

function run(tool: string, args: readonly string[]): void {
  execFileSync(tool, args, { stdio: ['ignore', 'ignore', 'pipe'], env: TOOL_ENVIRONMENT });
}

/** `MAJOR:MINOR`, from how Linux packs the two into one number. */
function deviceNumbers(path: string): string {
  const { dev } = statSync(path);
  return `${(dev >>> 8) & 0xfff}:${(dev & 0xff) | ((dev >>> 12) & 0xfff00)}`;
}
