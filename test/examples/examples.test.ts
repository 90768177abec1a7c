import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryDirectory } from '../support/temporary-directory.ts';

/** What each example says when all is well. An example without a line here fails. */
const SAYS: Readonly<Record<string, RegExp>> = {
  'queue-checkpoints.mjs':
    /^jobs 0 to 11 done, 12 results kept\njobs 12 to 19 done, 20 results kept\n$/,
  'crawler-dedupe.mjs': /^(\d+) pages fetched, \d+ links skipped, \1 addresses seen\n$/,
  'event-log-follower.mjs':
    /^#1 event\/0: the log begins\n(?:#\d event\/\d: something happened, number \d\n){4}$/,
  'own-store.mjs': /^$/,
  'soak-own-store.mjs': /^PASS/m,
};

test.each(readdirSync('examples').filter((name) => name.endsWith('.mjs')))(
  'examples/%s runs',
  (name) => {
    const path = join('examples', name);
    const directory = join(temporaryDirectory(), 'data');
    expect(execFileSync(process.execPath, [path, directory], { encoding: 'utf8' })).toMatch(
      SAYS[name] as RegExp,
    );
    expect(readFileSync(path, 'utf8')).toMatch(/^\/\/ {5}(?:node|npm run soak) /m);
  },
);
