import { cpSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { quoteWord } from '../../invocation.ts';
import { compiledProgram } from '../../package-root.ts';
import { LEAST_MIXED } from '../blocks/block-campaign.ts';
import { type BlockFinding, FOUND_STORE } from '../blocks/block-run.ts';
import type { Failure } from './campaign.ts';

/** What a report says of one image of a disk. */
export function blockFailure({
  invariant,
  message,
  kind,
  seed,
  toldBefore,
  directory,
}: BlockFinding): Failure {
  return {
    invariant,
    message,
    seed,
    command: `node ${quoteWord(compiledProgram('crash/blocks/block-reproduce.js'))} ${quoteWord(directory)}`,
    details: [
      `A ${kind === 'mixed' ? 'mixture of two images' : 'image'} of a disk, taken when the writer had told ${toldBefore} lines.`,
    ],
    keepStore: (to) => {
      const store = join(directory, FOUND_STORE);
      if (existsSync(store)) cpSync(store, join(to, 'store'), { recursive: true });
    },
  };
}

/** A run for which there is time makes several disks; a short one makes one. */
const SHORT_SECONDS = 12;

/** Why the images say nothing, in words: a disk that never lost what was not flushed is no test. */
export function tooFewMixed(mixed: number, seconds: number): string | undefined {
  const least = seconds < SHORT_SECONDS ? 1 : LEAST_MIXED;
  return mixed < least
    ? `${mixed} images mixed of two, and fewer than ${least} say nothing`
    : undefined;
}
