import { createRequire } from 'node:module';
import { arch, cpus, platform, release, totalmem } from 'node:os';
import { fileSystemName } from '../../../src/engine/index.ts';

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

export function describeHost(storeDirectory: string): Host {
  const host = {
    platform: platform(),
    release: release(),
    arch: arch(),
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryBytes: totalmem(),
    fileSystem: fileSystemName(storeDirectory),
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
