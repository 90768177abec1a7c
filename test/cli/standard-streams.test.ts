import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { HOSTILE_TEXTS, heldBy, UNPRINTED } from '../../harness/fuzz/hostile-text.ts';
import { jsonLine } from '../../src/cli/output.ts';
import { openStore, printableText } from '../../src/engine/index.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { shell, tidemark } from './cli-process.ts';

async function storeIn(directory: string): Promise<string> {
  const store = await openStore(directory);
  store.put('key', 'value');
  await store.close();
  return directory;
}

describe.runIf(existsSync('/dev/full'))('output that cannot be written', () => {
  test.each(['stats', 'export'])('tidemark %s says so, and does not succeed', async (words) => {
    const store = await storeIn(join(temporaryDirectory(), 'store'));
    const [command, ...options] = words.split(' ');
    const file = command === 'export' ? '-' : '';
    const { status, stderr } = await shell(
      `$tidemark ${command} ${store} ${file} ${options.join(' ')} > /dev/full`,
    );
    expect(status).toBe(1);
    expect(stderr).toMatch(/^(?:tidemark: |\{).*ENOSPC/);
  });

  test.each([
    ['$tidemark --help', 1],
    ['node dist/harness/soak/main.js --list-series', 3],
    ['node dist/harness/crash/main.js --help', 3],
  ])('%s neither', async (line, expected) => {
    const { status, stderr } = await shell(`${line} > /dev/full`);
    expect([status, stderr]).toEqual([expected, expect.stringContaining('ENOSPC')]);
  });
});

test('a reader that has seen enough is no failure', async () => {
  const store = await storeIn(join(temporaryDirectory(), 'store'));
  for (const words of [`scan ${store}`, '--help']) {
    const { stdout, stderr } = await shell(
      `{ $tidemark ${words}; echo "status $?" >&2; } | head -c 1 > /dev/null`,
    );
    expect([words, stdout, stderr]).toEqual([words, '', 'status 0\n']);
  }
});

// Fuzzing goes through all of them, and others; each is six processes here.
describe.each(HOSTILE_TEXTS.slice(0, 1))('the name %j', (text) => {
  test('of the host that holds the lock, and of a directory, is printed without effect', async () => {
    const directory = join(temporaryDirectory(), text);
    const store = await openStore(directory);
    onTestFinished(() => store.close());
    store.put(text, text);
    await store.sync();
    const lock = join(directory, '.lock');
    writeFileSync(lock, heldBy(readFileSync(lock), text), { flag: 'r+' });
    const results = await Promise.all([
      tidemark('compact', directory),
      tidemark('repair-seals', directory, '--json'),
      tidemark('get', directory, '--key', `not ${text}`),
      tidemark('check', directory),
      tidemark('stats', join(directory, text)),
      tidemark('scan', directory, '--limit', text),
    ]);
    const printed = results.map(({ stdout, stderr }) => stdout + stderr);
    expect(printed.filter((output) => UNPRINTED.test(output))).toEqual([]);
    expect(results.map(({ status }) => status)).toEqual([1, 1, 2, 0, 1, 1]);
    expect(results[0]?.stderr).toContain(`on ${printableText(text)}`);
    // One sentence each, whatever line feeds the name holds.
    for (const { stderr } of results.slice(0, 3))
      expect(stderr.trimEnd().split('\n')).toHaveLength(1);
  });
});

test.each(HOSTILE_TEXTS)('the name %j is the same name in JSON', (text) => {
  const line = jsonLine({ text });
  expect(UNPRINTED.test(line)).toBe(false);
  expect(JSON.parse(line)).toEqual({ text });
});
