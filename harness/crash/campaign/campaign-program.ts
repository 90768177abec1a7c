import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { formatCount } from '../../units.ts';
import { PROGRAM_PROMISES, runProgramCuts } from '../power/program-cuts.ts';
import type { CampaignPart, PartResult } from './campaign.ts';
import type { ProgramOptions } from './program-options.ts';

/** Fewer images say nothing. */
const LEAST_IMAGES = 5;

/** Any program, known by what it does to its directory and by its check. */
export function programPart(options: ProgramOptions): CampaignPart {
  const { dataDirectory, check, workload, seed, seconds, outDirectory, command } = options;
  return {
    name: 'program',
    invariants: PROGRAM_PROMISES,
    run: async ({ progress, signal }): Promise<PartResult> => {
      const report = await runProgramCuts({
        dataDirectory,
        check,
        workload,
        cwd: process.cwd(),
        directory: join(outDirectory, 'program'),
        seed,
        seconds,
        signal,
        reproduce: command,
        onProgress: (opened) => progress.update(`program ${formatCount(opened)} images checked`),
      });
      const { skipped, notes, counts, lines, opened, findings } = report;
      if (skipped !== undefined) progress.print(`skipped: program: ${skipped}`);
      for (const note of notes) progress.print(`program: ${note}`);
      const { ext4, posix } = counts.images;
      const told = `${formatCount(opened)} checks of images, of ${formatCount(ext4)} built under ext4 and ${formatCount(posix)} under posix; ${formatCount(lines)} lines printed`;
      const isTooLittle = opened < LEAST_IMAGES || lines === 0;
      const why = `${opened} images (at least ${LEAST_IMAGES}) and ${lines} lines (at least 1) say nothing`;
      const isBlind = skipped !== undefined || isTooLittle || notes.length > 0;
      return {
        figures: { imagesExt4: ext4, imagesPosix: posix, imagesChecked: opened, lines },
        rows: [
          ['program', skipped === undefined ? told : `skipped: ${skipped}`],
          ...notes.map((note) => ['but', note] as const),
          ...(isTooLittle && findings.length === 0 ? [['too little', why] as const] : []),
        ],
        failures: findings.map(({ promise, message, story, directory, reproduce }) => ({
          invariant: promise,
          message,
          seed,
          command: reproduce,
          details: story,
          keepStore: (to) => cpSync(directory, join(to, 'store'), { recursive: true }),
        })),
        isConclusive: findings.length > 0 || !isBlind,
      };
    },
  };
}
