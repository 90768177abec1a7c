import { randomBytes } from 'node:crypto';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Command } from 'commander';
import type { StoreReader } from '../engine/index.ts';
import { addDirectory, addJson, type JsonFlags } from './common-options.ts';
import { interruptible } from './interruption.ts';
import { withReader } from './opening.ts';
import { Output } from './output.ts';
import { Progress } from './progress.ts';
import { base64 } from './record-lines.ts';

const KEYS_A_TURN = 1000;
const WRITE_CHARACTERS = 1024 * 1024;

export function define(command: Command): void {
  addJson(addDirectory(command))
    .argument('<file>', 'where to; - is standard output')
    .addHelpText(
      'after',
      `
Writes {"key_b64":"...","value_b64":"..."} a live key, in byte order of the keys, as \`import\` reads it. A file appears
whole, or not at all.`,
    )
    .action(async (directory: string, file: string, { json }: JsonFlags) => {
      await interruptible((signal) =>
        withReader(directory, async (reader) => {
          const output = new Output();
          if (file === '-') {
            await exportLines(reader, signal, async (line) => {
              output.line(line);
              if (output.isFull) await output.flush();
            });
          } else {
            await exportFile(reader, signal, resolve(file));
            if (json) output.json('export', { keys: reader.size, file });
            else output.line(`${reader.size} keys written to ${file}`);
          }
          await output.flush();
        }),
      );
    });
}

/** Beside the target, synced, and renamed over it: nobody sees half of it. */
async function exportFile(reader: StoreReader, signal: AbortSignal, target: string): Promise<void> {
  const temporary = `${target}.unfinished-${randomBytes(6).toString('hex')}`;
  try {
    const handle = await open(temporary, 'wx', 0o600);
    try {
      await writeLines(reader, signal, handle);
      await handle.datasync();
    } finally {
      await handle.close();
    }
    await rename(temporary, target);
    const directory = await open(dirname(target), 'r');
    await directory.sync().finally(() => directory.close());
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

async function writeLines(reader: StoreReader, signal: AbortSignal, handle: FileHandle): Promise<void> {
  let text = '';
  await exportLines(reader, signal, async (line) => {
    text += `${line}\n`;
    if (text.length < WRITE_CHARACTERS) return;
    await handle.writeFile(text, 'latin1');
    text = '';
  });
  await handle.writeFile(text, 'latin1');
}

async function exportLines(
  reader: StoreReader,
  signal: AbortSignal,
  write: (line: string) => Promise<void>,
): Promise<void> {
  const keys = [...reader.keys()].sort(Buffer.compare);
  const progress = new Progress('exporting');
  let count = 0;
  try {
    for (const key of keys) {
      const value = reader.get(key) as Uint8Array;
      await write(`{"key_b64":"${base64(key)}","value_b64":"${base64(value)}"}`);
      count++;
      if (count % KEYS_A_TURN !== 0) continue;
      progress.update(count, keys.length);
      await nextTurn();
      signal.throwIfAborted();
    }
  } finally {
    progress.end();
  }
}
