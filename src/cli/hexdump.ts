import type { Command } from 'commander';
import type { FrameInspection, InspectedField } from '../engine/index.ts';
import { addDirectory, addJson, type JsonFlags } from './common-options.ts';
import { ExitCode } from './exit-code.ts';
import { inspectAt } from './frame-at.ts';
import { requireStore } from './opening.ts';
import { Output } from './output.ts';
import { parsePlace } from './place.ts';
import { base64 } from './record-lines.ts';

/** Shown of a key or a payload. */
const SHOWN_BYTES = 48;
const HEX_BYTES_PER_LINE = 16;

export function define(command: Command): void {
  addJson(addDirectory(command))
    .argument('<place>', 'where, as messages name it: 00000003.dwal:1234')
    .addHelpText('after', '\nExit status 3: no valid frame begins there.')
    .action(async (directory: string, place: string, { json }: JsonFlags) => {
      const at = parsePlace(place);
      requireStore(directory);
      const inspection = inspectAt(directory, at);
      const output = new Output();
      if (json) output.json('hexdump', toJson(inspection));
      else for (const line of render(inspection)) output.line(line);
      if (inspection.verdict !== 'valid') process.exitCode = ExitCode.corruption;
      await output.flush();
    });
}

function toJson({ fields, verdict }: FrameInspection): Record<string, unknown> {
  return {
    verdict,
    fields: fields.map(({ name, offset, bytes, meaning }) => ({
      name,
      offset,
      meaning,
      bytes_b64: base64(bytes),
    })),
  };
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
  for (let at = 0; at < shown.length; at += HEX_BYTES_PER_LINE) {
    const line = shown.subarray(at, at + HEX_BYTES_PER_LINE);
    const hex = Array.from(line, (byte) => byte.toString(16).padStart(2, '0')).join(' ');
    const text = Array.from(line, (byte) =>
      byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.',
    ).join('');
    yield `${' '.repeat(12)}${hex.padEnd(HEX_BYTES_PER_LINE * 3)} ${text}`;
  }
  if (bytes.length > shown.length)
    yield `${' '.repeat(12)}... ${bytes.length - shown.length} bytes more`;
}
