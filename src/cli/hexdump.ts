import { closeSync, existsSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { type FrameInspection, type InspectedField, inspectFrame, MAX_FRAME_BYTES } from '../engine/index.ts';
import { ExitCode } from './exit-code.ts';

/** Shown of a key or a payload. */
const SHOWN_BYTES = 48;
const HEX_BYTES_A_LINE = 16;

export function addHexdump(program: Command): void {
  program
    .command('hexdump')
    .description('take the frame at a place apart: each field named, the checksum stored and computed')
    .argument('<directory>', 'the store')
    .argument('<place>', 'where, as messages name it: 00000003.dwal:1234')
    .action((directory: string, place: string) => {
      const match = /^(\d{8}\.dwal):(\d{1,15})$/.exec(place);
      if (match === null) {
        program.error(`error: '${place}' is not a place; give one such as 00000003.dwal:1234`, {
          exitCode: ExitCode.usage,
        });
      }
      const segment = join(directory, match[1] as string);
      if (!existsSync(segment))
        program.error(`error: ${segment} does not exist`, { exitCode: ExitCode.usage });
      const bytes = readFrom(segment, Number(match[2]), MAX_FRAME_BYTES);
      if (bytes.length === 0)
        program.error(`error: the segment ends before ${place}`, { exitCode: ExitCode.usage });
      const inspection = inspectFrame(bytes);
      for (const line of render(inspection)) process.stdout.write(`${line}\n`);
      if (inspection.verdict !== 'valid') process.exitCode = ExitCode.corruption;
    });
}

function readFrom(path: string, position: number, limitBytes: number): Buffer {
  const descriptor = openSync(path, 'r');
  try {
    const pieces: Buffer[] = [];
    for (let at = 0; at < limitBytes; ) {
      const piece = Buffer.alloc(Math.min(1024 * 1024, limitBytes - at));
      const count = readSync(descriptor, piece, 0, piece.length, position + at);
      if (count === 0) break;
      pieces.push(piece.subarray(0, count));
      at += count;
    }
    return Buffer.concat(pieces);
  } finally {
    closeSync(descriptor);
  }
}

function* render({ fields, verdict }: FrameInspection): Generator<string> {
  for (const field of fields) {
    yield `${String(field.offset).padStart(8)}  ${field.name.padEnd(14)}  ${field.meaning}`;
    yield* hexLines(field);
  }
  yield `${' '.repeat(10)}${verdict === 'valid' ? 'a valid frame' : `not a valid frame: ${verdict}`}`;
}

function* hexLines({ bytes }: InspectedField): Generator<string> {
  const shown = bytes.subarray(0, SHOWN_BYTES);
  for (let at = 0; at < shown.length; at += HEX_BYTES_A_LINE) {
    const line = shown.subarray(at, at + HEX_BYTES_A_LINE);
    const hex = Array.from(line, (byte) => byte.toString(16).padStart(2, '0')).join(' ');
    const text = Array.from(line, (byte) =>
      byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.',
    ).join('');
    yield `${' '.repeat(12)}${hex.padEnd(HEX_BYTES_A_LINE * 3)} ${text}`;
  }
  if (bytes.length > shown.length) yield `${' '.repeat(12)}... ${bytes.length - shown.length} bytes more`;
}
