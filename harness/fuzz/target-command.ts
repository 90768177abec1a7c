import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openStore } from '../../src/engine/index.ts';
import { mutateBytes, pick } from './byte-mutation.ts';
import { type FuzzTarget, onlyPart, PromiseBroken } from './fuzz-target.ts';

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
];
const WORDS = [
  'store',
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
 * The command with any words: an exit status that is documented, and a sentence instead of a stack.
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
    return new Map([
      ['words', Buffer.from(words.map((word) => word.replaceAll('\0', '')).join('\0'))],
    ]);
  },
  async check(input) {
    const words = onlyPart(input).toString('utf8').split('\0');
    const directory = mkdtempSync(join(tmpdir(), 'tidemark-fuzz-'));
    try {
      const store = await openStore(join(directory, 'store'));
      store.put('key', 'value');
      await store.close();
      // In a folder of its own, so that `..` stays in the temporary directory.
      const { status, signal, stderr, error } = spawnSync(process.execPath, [MAIN, ...words], {
        cwd: directory,
        encoding: 'utf8',
        timeout: LONGEST_MS,
        input: '',
      });
      if (error !== undefined || signal !== null)
        throw new PromiseBroken(`ended by ${signal ?? error}`);
      if (![0, 1, 2, 3].includes(status ?? -1))
        throw new PromiseBroken(`exit status ${status}: ${stderr}`);
      if (/^\s+at .*:\d+:\d+\)?$/m.test(stderr))
        throw new PromiseBroken(`a stack is shown: ${stderr}`);
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  },
};
