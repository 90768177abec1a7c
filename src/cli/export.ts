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
      await interruptible((signal) =>
        withReader(directory, async (reader) => {
          const output = new Output();
          const progress = new Progress('exporting');
          const options = { signal, onProgress: progress.update };
          try {
            if (file !== '-') await telling(file, reader.exportJsonl(file, options));
            else for await (const lines of reader.exportLines(options)) await write(output, lines);
          } finally {
            progress.end();
          }
          if (json && file !== '-') output.json('export', { keys: reader.size, file });
          else if (file !== '-') output.line(`${reader.size} keys written to ${file}`);
          await output.flush();
        }),
      );
    });
}

async function write(output: Output, lines: string): Promise<void> {
  output.text(lines.slice(0, -1));
  await output.flush();
}
