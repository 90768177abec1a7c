import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { Command } from 'commander';
import { NodeFileSystem, type StoreSurroundings, storeSurroundings } from '../engine/index.ts';
import { checkStore, type Finding, tellFindings } from './check.ts';
import { addDirectory, addJson, type JsonFlags } from './common-options.ts';

export function define(command: Command): void {
  addJson(addDirectory(command))
    .addHelpText(
      'after',
      `
Says what \`check\` says, and before it what the store stands on. Beside the store it writes one small file, syncs it some
times, and removes it. Exit status as that of \`check\`.`,
    )
    .action(async (directory: string, { json }: JsonFlags) => {
      // First, so that a directory that is not there is told as everywhere else.
      const findings = await checkStore(directory);
      const surroundings = storeSurroundings(directory);
      const disk = examineDisk(directory);
      await tellFindings(
        [
          runtimeFinding(surroundings),
          checksumFinding(surroundings),
          lockFinding(surroundings, disk),
          ...diskFindings(surroundings, disk),
          ...findings,
        ],
        json === true,
      );
    });
}

function runtimeFinding({ runtime }: StoreSurroundings): Finding {
  const detail = `${runtime.name} ${runtime.version} on ${process.platform} ${process.arch}`;
  if (runtime.loadsNodeAddons) return { check: 'runtime', outcome: 'ok', detail };
  return {
    check: 'runtime',
    outcome: 'note',
    detail: `${detail}: it cannot load the kernel lock, and a lease stands in for it`,
  };
}

function checksumFinding({ checksum }: StoreSurroundings): Finding {
  if (checksum !== 'JavaScript')
    return { check: 'checksum', outcome: 'ok', detail: `CRC-32C by ${checksum}` };
  return {
    check: 'checksum',
    outcome: 'note',
    detail:
      'CRC-32C in JavaScript, a fifteenth as fast for large values, because no native part loads here: npm install @node-rs/crc32',
  };
}

function lockFinding({ writer, runtime }: StoreSurroundings, { hasKernelLocks }: Disk): Finding {
  const inForce =
    hasKernelLocks === undefined
      ? 'not tried'
      : hasKernelLocks
        ? 'a kernel lock, with a lease beside it'
        : 'a lease alone, which its holder refreshes';
  const held =
    writer === null
      ? 'nobody writes now'
      : `process ${writer.pid} on ${writer.host} writes now, with ${writer.kernelLock ? 'the kernel lock' : 'a lease alone'}`;
  const detail = `${inForce}; ${held}`;
  // Of another runtime it has been said already.
  const isNoted = hasKernelLocks === false && runtime.loadsNodeAddons;
  return { check: 'lock', outcome: isNoted ? 'note' : 'ok', detail };
}

/** What is known of file systems on which less holds than on a local disk. */
const LESS_HOLDS: Readonly<Record<string, string>> = {
  tmpfs: 'lies in memory: nothing survives a power cut or a reboot',
  ramfs: 'lies in memory: nothing survives a power cut or a reboot',
  nfs: 'is a network file system: writers on two hosts are kept apart by a lease alone, which nobody has tested there',
  cifs: 'is a network file system: nobody has tested a store there',
  smb2: 'is a network file system: nobody has tested a store there',
  '9p': 'is shared with a host: a power cut there was not tested',
  fuse: 'keeps what its own program promises',
};

/** No device that keeps data without power answers faster than this, nor a healthy one slower. */
const PLAUSIBLE_SYNC_US = { from: 15, to: 100_000 };

function* diskFindings(
  { fileSystem }: StoreSurroundings,
  { syncUs, refusal }: Disk,
): Generator<Finding> {
  const note = (detail: string): Finding => ({ check: 'disk', outcome: 'note', detail });
  const less = LESS_HOLDS[fileSystem];
  if (less !== undefined) yield note(`${fileSystem} ${less}`);
  if (syncUs === undefined) {
    yield note(`${fileSystem}; its fsync was not measured: ${refusal}`);
    return;
  }
  const took = `${fileSystem}; an fsync takes ${syncUs < 1000 ? `${syncUs} µs` : `${(syncUs / 1000).toFixed(1)} ms`}`;
  if (syncUs > PLAUSIBLE_SYNC_US.to)
    yield note(`${took}, which is slow: each durable put waits as long`);
  else if (syncUs >= PLAUSIBLE_SYNC_US.from)
    yield { check: 'disk', outcome: 'ok', detail: `${took}, which is plausible` };
  else if (less === undefined)
    yield note(
      `${took}, faster than any device: what a power cut leaves is not what was promised, unless a battery stands behind it`,
    );
}

interface Disk {
  /** The median of some; undefined when nothing can be written here. */
  readonly syncUs: number | undefined;
  readonly hasKernelLocks: boolean | undefined;
  /** Why nothing could be written. */
  readonly refusal: string;
}

const SYNCS = 9;
const SYNC_BYTES = 4096;

function examineDisk(directory: string): Disk {
  const fileSystem = new NodeFileSystem();
  const path = join(directory, `.doctor-${randomBytes(6).toString('hex')}`);
  try {
    const descriptor = fileSystem.open(path, 'create');
    try {
      const hasKernelLocks = fileSystem.tryLock(descriptor) === 'locked';
      const times: number[] = [];
      for (let count = 0; count < SYNCS; count++) {
        const block = randomBytes(SYNC_BYTES);
        fileSystem.write(descriptor, block, 0, SYNC_BYTES, count * SYNC_BYTES);
        const startedMs = performance.now();
        fileSystem.dataSync(descriptor);
        times.push((performance.now() - startedMs) * 1000);
      }
      const middle = times.sort((a, b) => a - b)[SYNCS >> 1] as number;
      return { syncUs: Math.round(middle), hasKernelLocks, refusal: '' };
    } finally {
      fileSystem.close(descriptor);
      fileSystem.remove(path);
    }
  } catch (error) {
    return { syncUs: undefined, hasKernelLocks: undefined, refusal: (error as Error).message };
  }
}
