import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import pidusage from 'pidusage';

/**
 * What can be seen of a process from outside. Numbers that this platform does not show are
 * undefined.
 */
export interface ProcessView {
  readonly rssBytes?: number;
  /** The percentage of one core; 200 means that two cores are busy. */
  readonly cpuPercent?: number;
  readonly descriptors?: DescriptorCount;
  /** The size of all files of the store. */
  readonly directoryBytes?: number;
}

export interface DescriptorCount {
  /** Files and pipes; sockets are the telemetry's, and come and go with its peers. */
  readonly open: number;
  /** How many of those are files that have no name any more. */
  readonly deleted: number;
}

/** Undefined for everything when the process has ended, or is about to. */
export async function viewProcess(pid: number): Promise<ProcessView> {
  const descriptors = countDescriptors(pid);
  try {
    const { memory, cpu } = await pidusage(pid);
    // A process that is being killed has lost its memory before it is gone.
    if (memory === 0) return {};
    return {
      rssBytes: memory,
      cpuPercent: cpu,
      ...(descriptors === undefined ? {} : { descriptors }),
    };
  } catch {
    return {};
  }
}

/** Undefined where there is no /proc, and for a process that has ended. */
export function countDescriptors(pid: number): DescriptorCount | undefined {
  const directory = `/proc/${pid}/fd`;
  let names: string[];
  try {
    names = readdirSync(directory);
  } catch {
    return undefined;
  }
  const targets = names.map((name) => {
    try {
      return readlinkSync(`${directory}/${name}`);
    } catch {
      // Closed since it was listed.
      return '';
    }
  });
  return {
    open: targets.filter((target) => !target.startsWith('socket:')).length,
    deleted: targets.filter((target) => target.startsWith('/') && target.endsWith(' (deleted)'))
      .length,
  };
}

/**
 * The most that a process ever had resident, by the kernel's own account; undefined where there is
 * no /proc.
 */
export function peakRssBytes(pid: number): number | undefined {
  try {
    const match = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
    return match === null ? undefined : Number(match[1]) * 1024;
  } catch {
    return undefined;
  }
}
