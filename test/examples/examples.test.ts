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
  'http-sessions.mjs': /^hello, ada\nlog in first\n$/,
  'job-queue.mjs':
    /^done: mail ada\nleft: the mail server is down\ndone: mail ben\ndone: mail cleo\n2 keys left\n$/,
  'bounded-cache.mjs': /^100 pages in 100000 bytes\npage 0: 1000, page 1: gone\n$/,
  'cli-state.mjs':
    /^kept as note 1\nkept as note 2\n1 {2}water the plants\n2 {2}buy a stronger tide table\n$/,
  'agent-memory.mjs':
    /^(booked at The Harbour)\n\1\nuser: book a table for two \| agent: The Harbour, at eight \| quiet places\n$/,
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
    const text = readFileSync(path, 'utf8');
    expect(text).toMatch(/^\/\/ {5}(?:node|npm run soak) /m);
    // Each that uses a store says which promise it stands on; those of the harness use none.
    if (!/own-store/.test(name)) expect(text).toMatch(/^\/\/ Stands on: /m);
    expect(readFileSync('README.md', 'utf8')).toContain(`(examples/${name})`);
  },
);
