import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { compiledProgram } from '../../package-root.ts';
import type { StoreSubject } from '../kills/store-subject.ts';
import { TOOL_ENVIRONMENT } from './block-disk.ts';
import type { BlockEvent, BlockFinding } from './block-run.ts';

export interface BlockOptions {
  /** Where disks lie while they are written; findings stay there. */
  readonly directory: string;
  /** An integer from 0 to 2^32 - 1. */
  readonly seed: number;
  readonly seconds: number;
  /** Ends after so many disks, if it has not before. */
  readonly disks?: number;
  /** Another store than tidemark. */
  readonly store?: StoreSubject;
  /** Ends it soon, in order. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (report: BlockReport) => void;
}

export interface BlockReport {
  /** Why nothing was done; undefined when something was. */
  readonly skipped: string | undefined;
  /** What kept it from going on; undefined when it came to its end. */
  readonly trouble: string | undefined;
  /** Images that were mounted and recovered. */
  readonly images: number;
  /** Images that mix two of one disk, sector by sector. */
  readonly mixed: number;
  /** Taken while the device was at work on a request. */
  readonly withRequestsInFlight: number;
  /** The store was not closed in order. */
  readonly recovered: number;
  readonly findings: readonly BlockFinding[];
}

/** Fewer images that a disk without a flush may leave say nothing. */
export const LEAST_MIXED = 8;
/** More would only say the same. */
const MOST_FINDINGS = 3;

/** Images of ext4 on a loop device, each mounted and recovered. */
export async function runBlocks(options: BlockOptions): Promise<BlockReport> {
  const { directory, seed, seconds, disks = Number.MAX_SAFE_INTEGER, signal, onProgress } = options;
  const { store } = options;
  const findings: BlockFinding[] = [];
  const counts = { images: 0, mixed: 0, withRequestsInFlight: 0, recovered: 0 };
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  const skipped = reasonToSkip(directory);
  if (skipped !== undefined) return { skipped, trouble: undefined, ...counts, findings };

  const words = [
    ...[directory, seed, seconds, disks].map(String),
    ...(store === undefined ? [] : [JSON.stringify(store)]),
  ];
  const program = compiledProgram('crash/blocks/block-namespace.js');
  const child = spawn('unshare', ['--mount', process.execPath, program, ...words], {
    stdio: ['pipe', 'pipe', 'pipe'],
    // An interrupt from the terminal would also reach what it has started; it is told by the end of
    // its input.
    detached: true,
  });
  child.stdin.on('error', () => {});
  const stop = () => child.stdin.end();
  if (signal?.aborted) stop();
  signal?.addEventListener('abort', stop);
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    errors += chunk;
  });
  createInterface({ input: child.stdout }).on('line', (line) => {
    const event = JSON.parse(line) as BlockEvent;
    if (event.type === 'finding') {
      findings.push(event.finding);
      if (findings.length >= MOST_FINDINGS) stop();
    } else {
      const { kind, recovery, requestsInFlight } = event.image;
      counts.images++;
      if (kind === 'mixed') counts.mixed++;
      if (requestsInFlight > 0) counts.withRequestsInFlight++;
      if (recovery === 'recovered') counts.recovered++;
    }
    onProgress?.({ skipped, trouble: undefined, ...counts, findings });
  });
  const [code, endSignal] = await once(child, 'close');
  signal?.removeEventListener('abort', stop);
  const trouble =
    code === 0
      ? undefined
      : errors.trim() || `the process that mounts ended with ${code ?? endSignal}`;
  return { skipped, trouble, ...counts, findings };
}

/** Does once, and small, what the disks need. */
export function reasonToSkip(directory: string): string | undefined {
  const place = join(directory, 'trial');
  mkdirSync(place, { recursive: true });
  const { error, status, stderr } = spawnSync(
    'unshare',
    ['--mount', 'sh', '-c', TRIAL, 'sh', place],
    {
      encoding: 'utf8',
      env: TOOL_ENVIRONMENT,
    },
  );
  rmSync(place, { recursive: true, force: true });
  if (error !== undefined) return error.message;
  return status === 0 ? undefined : stderr.trim().replaceAll('\n', '; ');
}

const TRIAL = `
  set -e
  truncate --size 4M "$1/disk.img"
  mkfs.ext4 -q -F "$1/disk.img"
  mkdir "$1/root"
  mount -t ext4 -o loop "$1/disk.img" "$1/root"
  mountpoint -q "$1/root"
  fsfreeze --freeze "$1/root"
  fsfreeze --unfreeze "$1/root"
  umount "$1/root"`;
