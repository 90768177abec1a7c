import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { headerFrameBytes, viewOf } from '../../../src/engine/format/frame.ts';
import { inspectFrame } from '../../../src/engine/index.ts';
import type { DiskImage } from '../../file-systems/disk-image.ts';
import { STORE_DIRECTORY } from '../states/crash-workload.ts';

const BYTES_PER_LINE = 16;
/** Shown on either side of damage. */
const AROUND_BYTES = 64;
/** How many frames of a long segment are listed at its beginning, and at its end. */
const FRAMES_AT_AN_END = 20;

/** The same of a store that lies in a real directory. */
export function describeStore(directory: string): string[] {
  if (!existsSync(directory)) return ['There is no store.'];
  const files = new Map<string, Buffer>();
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    files.set(join(STORE_DIRECTORY, relative(directory, path)), readFileSync(path));
  }
  return describeImage({ files, directories: new Set() });
}

/** The files of an image, segments frame by frame, and the bytes around whatever is no frame. */
export function describeImage({ files }: DiskImage): string[] {
  const lines: string[] = [];
  for (const [path, bytes] of [...files].sort(([a], [b]) => (a < b ? -1 : 1))) {
    lines.push(`${path}: ${bytes.length} bytes`);
    if (!path.endsWith('.dwal')) continue;
    // A copy of the store is as a rule not what is wrong.
    if (dirname(path) === STORE_DIRECTORY) lines.push(...describeSegment(bytes, basename(path)));
  }
  return lines;
}

function describeSegment(bytes: Buffer, name: string): string[] {
  const frames: string[] = [];
  const damage: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const { fields, verdict } = inspectFrame(bytes.subarray(at));
    if (verdict !== 'valid') {
      damage.push(`  ${name}:${at}  ${verdict}`);
      damage.push(...hexLines(bytes, Math.max(0, at - AROUND_BYTES), at + AROUND_BYTES, at));
      break;
    }
    const told = fields
      .filter((field) => ['type', 'txid', 'key'].includes(field.name))
      .map((field) => (field.name === 'key' ? Buffer.from(field.bytes).toString() : field.meaning));
    frames.push(`  ${name}:${at}  ${told.join(', ')}`);
    at += headerFrameBytes(viewOf(bytes), at);
  }
  const left = frames.length - FRAMES_AT_AN_END * 2;
  if (left > 1) frames.splice(FRAMES_AT_AN_END, left, `  ... ${left} more frames`);
  return [...frames, ...damage];
}

/** Writes bytes as `hexdump -C` does, with a mark at the line that holds `marked`. */
export function hexLines(bytes: Buffer, from: number, to: number, marked: number): string[] {
  const lines: string[] = [];
  for (
    let at = from - (from % BYTES_PER_LINE);
    at < Math.min(to, bytes.length);
    at += BYTES_PER_LINE
  ) {
    const row = bytes.subarray(at, at + BYTES_PER_LINE);
    const hex = [...row].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
    const text = [...row]
      .map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.'))
      .join('');
    const mark = marked >= at && marked < at + BYTES_PER_LINE ? '>' : ' ';
    lines.push(`  ${mark} ${String(at).padStart(6)}  ${hex.padEnd(BYTES_PER_LINE * 3)} ${text}`);
  }
  return lines;
}
