import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { ExitCode } from '../../exit-code.ts';
import { COMMAND_OUTPUT, complain, print, watchStandardStreams } from '../../standard-streams.ts';
import { invariantOf } from '../promises/invariants.ts';
import { type BlockPromises, checkBlockImage } from './block-check.ts';
import { copySparse } from './block-disk.ts';
import { IMAGE_FILE, PROMISES_FILE } from './block-run.ts';

watchStandardStreams('block-reproduce');

/**
 * Checks the image of a disk again: `node dist/harness/crash/blocks/block-reproduce.js DIRECTORY`.
 * When the images were taken depends on time, so what is repeated is not the writing but the
 * recovery from what was written.
 */
const IN_NAMESPACE = 'TIDEMARK_BLOCK_NAMESPACE';

const command = new Command('block-reproduce')
  .configureOutput(COMMAND_OUTPUT)
  .description(
    'Mounts a copy of an image that was kept, recovers the store on it, and checks it again. Needs root.',
  )
  .argument('<directory>', `holds ${IMAGE_FILE} and ${PROMISES_FILE}`)
  .parse();
const [directory] = command.args as [string];

if (process.env[IN_NAMESPACE] === undefined) {
  const words = ['--mount', process.execPath, ...process.argv.slice(1)];
  const env = { ...process.env, [IN_NAMESPACE]: '1' };
  const { error, status } = spawnSync('unshare', words, { stdio: 'inherit', env });
  if (error !== undefined) complain(error.message);
  process.exitCode = status ?? ExitCode.usage;
} else {
  process.exitCode = await repeat();
}

async function repeat(): Promise<ExitCode> {
  const place = mkdtempSync(join(tmpdir(), 'tidemark-block-'));
  try {
    const promises = JSON.parse(
      readFileSync(join(directory, PROMISES_FILE), 'utf8'),
    ) as BlockPromises;
    const image = join(place, IMAGE_FILE);
    copySparse(join(directory, IMAGE_FILE), image);
    const recovery = await checkBlockImage(image, join(place, 'mounted'), promises);
    print(`the image was recovered (${recovery}), and every check passed`);
    return ExitCode.pass;
  } catch (error) {
    print(`${invariantOf(error)} is broken: ${error instanceof Error ? error.message : error}`);
    return ExitCode.broken;
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}
