import { statfsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { arch, cpus, platform, release, totalmem } from 'node:os';

export interface Host {
  readonly platform: string;
  readonly release: string;
  readonly arch: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
  /** Where the store lay. */
  readonly fileSystem: string;
  /** Hosts of the same class can be expected to be equally fast. */
  readonly machineClass: string;
}

/** Magic numbers of statfs(2) on Linux. */
const FILE_SYSTEMS: Readonly<Record<number, string>> = {
  61267: 'ext4',
  1481003842: 'xfs',
  2435016766: 'btrfs',
  801189825: 'zfs',
  2035054128: 'overlayfs',
  16914836: 'tmpfs',
  26985: 'nfs',
};

export function describeHost(storeDirectory: string): Host {
  const { type } = statfsSync(storeDirectory);
  const fileSystem = platform() === 'linux' ? FILE_SYSTEMS[type] : undefined;
  const host = {
    platform: platform(),
    release: release(),
    arch: arch(),
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryBytes: totalmem(),
    fileSystem: fileSystem ?? `0x${type.toString(16)}`,
  };
  const { cpu, cores } = host;
  return {
    ...host,
    machineClass: [host.platform, host.arch, `${cores} x ${cpu.trim()}`, host.fileSystem].join(
      ', ',
    ),
  };
}

export interface Versions {
  readonly tidemark: string;
  readonly node: string;
}

export function describeVersions(): Versions {
  const { version } = createRequire(import.meta.url)('tidemark/package.json') as {
    version: string;
  };
  return { tidemark: version, node: process.version };
}
