import type { Command } from 'commander';
import { addDirectory, addJson, type JsonFlags } from './common-options.ts';
import { telling } from './failure.ts';
import { interruptible } from './interruption.ts';
import { withReader } from './opening.ts';
import { Output } from './output.ts';
import { Progress } from './progress.ts';

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
      await withReader(directory, async (reader) => {
        const output = new Output();
        const progress = new Progress('exporting');
        const onProgress = progress.update;
        try {
          if (file === '-')
            for await (const lines of reader.exportLines({ onProgress }))
              await write(output, lines);
          else
            await interruptible((signal) =>
              telling(file, reader.exportJsonl(file, { signal, onProgress })),
            );
        } finally {
          progress.end();
        }
        if (json && file !== '-') output.json('export', { keys: reader.size, file });
        else if (file !== '-') output.line(`${reader.size} keys written to ${file}`);
        await output.flush();
      });
    });
}

async function write(output: Output, lines: string): Promise<void> {
  output.text(lines.slice(0, -1));
  await output.flush();
}
