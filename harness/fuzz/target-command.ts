import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openStore } from '../../src/engine/index.ts';
import { mutateBytes, pick } from './byte-mutation.ts';
import { type FuzzTarget, Mishandled } from './fuzz-target.ts';
import { HOSTILE_TEXTS, heldBy, UNPRINTED } from './hostile-text.ts';

const MAIN = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));
const LONGEST_MS = 20_000;

/** No harness among them, which would run for minutes. */
const COMMANDS = [
  'hexdump',
  'salvage',
  'scan',
  'get',
  'report',
  'verify',
  'dump',
  'check',
  'stats',
  'export',
  'repair-seals',
  'compact',
  'backup',
  'import',
];
const WORDS = [
  'store',
  ...HOSTILE_TEXTS,
  'rescued',
  '00000001.dwal:0',
  '00000001.dwal:999999999999999',
  '99999999.dwal:1',
  '../store',
  '/dev/null',
  '--help',
  '--version',
  '--json',
  '--limit',
  '--key',
  '--key-hex',
  '--key-base64',
  '--from',
  '--no-truncate',
  '--',
  '-1',
  '1e400',
  '0x10',
  'zz',
  '%s%n',
  '\u001b[31m',
  '🙂',
  '=',
  '',
];

/**
 * The command with any words, in any directory, whose writer is on a host of any name: an exit
 * status that is documented, a sentence instead of a stack, and nothing that a terminal obeys.
 */
export const commandTarget: FuzzTarget = {
  name: 'command',
  weight: 0.15,
  make(prng) {
    const words = [
      pick(prng, COMMANDS),
      ...Array.from({ length: prng.below(5) }, () => pick(prng, WORDS)),
    ];
    if (prng.below(2) === 0) {
      const index = prng.below(words.length);
      const mutated = mutateBytes(
        prng,
        Buffer.from(words[index] as string),
        Buffer.from(pick(prng, WORDS)),
      );
      words[index] = mutated.toString('utf8');
    }
    const name = prng.below(2) === 0 ? 'store' : pick(prng, HOSTILE_TEXTS).replace(/[/\0]/g, '');
    const host = prng.below(2) === 0 ? '' : pick(prng, HOSTILE_TEXTS);
    const given = words.map((word) => (word === 'store' ? name : word).replaceAll('\0', ''));
    return new Map([
      ['words', Buffer.from(given.join('\0'))],
      ['store', Buffer.from(name)],
      ['host', Buffer.from(host)],
    ]);
  },
  async check(input) {
    const part = (name: string) => Buffer.from(input.get(name) ?? []).toString('utf8');
    const words = part('words').split('\0');
    const host = part('host');
    const directory = mkdtempSync(join(tmpdir(), 'tidemark-fuzz-'));
    try {
      const store = await openStore(join(directory, part('store') || 'store'));
      store.put('key', 'value');
      const lock = join(store.directory, '.lock');
      if (host === '') await store.close();
      else writeFileSync(lock, heldBy(readFileSync(lock), host), { flag: 'r+' });
      // In a folder of its own, so that `..` stays in the temporary directory.
      const { status, signal, stdout, stderr, error } = spawnSync(
        process.execPath,
        [MAIN, ...words],
        {
          cwd: directory,
          encoding: 'utf8',
          timeout: LONGEST_MS,
          input: '',
        },
      );
      if (error !== undefined || signal !== null)
        throw new Mishandled(`ended by ${signal ?? error}`);
      if (![0, 1, 2, 3].includes(status ?? -1))
        throw new Mishandled(`exit status ${status}: ${stderr}`);
      if (/^\s+at .*:\d+:\d+\)?$/m.test(stderr))
        throw new Mishandled(`a stack is shown: ${stderr}`);
      if (UNPRINTED.test(stdout + stderr))
        throw new Mishandled(`printed as it is: ${JSON.stringify(stdout + stderr)}`);
      if (host !== '') await store.close();
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  },
};
