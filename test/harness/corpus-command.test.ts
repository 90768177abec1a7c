import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

/** The command as `npm run corpus` runs it, compiled. */
function corpus(...words: string[]) {
  return spawnSync(process.execPath, ['dist/harness/corpus/main.js', ...words], {
    encoding: 'utf8',
  });
}

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tidemark-corpus-test-'));
});

afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

describe('npm run corpus', () => {
  test('verifies the committed corpus by default, and exits with 1 when a file of a generated one is shorter', () => {
    expect(corpus('verify')).toMatchObject({ status: 0, stderr: '' });
    const target = join(directory, 'new');
    expect(corpus('generate', target)).toMatchObject({ status: 0, stderr: '' });
    truncateSync(join(target, 'datawal/valid_log/00000001.dwal'), 97);
    const { status, stderr } = corpus('verify', target);
    expect(status).toBe(1);
    // The bytes differ, and so does what opening gives; nothing is said about any other fixture.
    expect(stderr.trim().split('\n')).toEqual([
      'datawal/valid_log/00000001.dwal is not as in the manifest',
      expect.stringContaining(
        'datawal/valid_log: openStore: found {"outcome":"recovered","recordsKept":2',
      ),
    ]);
  });

  test('exits with 2 on misuse, changing nothing', () => {
    writeFileSync(join(directory, 'mine'), '');
    expect(corpus('generate', directory)).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('is not empty'),
    });
    expect(readdirSync(directory)).toEqual(['mine']);
    expect(corpus('verify', join(directory, 'nowhere')).status).toBe(2);
    expect(corpus('verfy').status).toBe(2);
    expect(corpus().status).toBe(2);
  });

  test('explains itself', () => {
    expect(corpus('--help')).toMatchObject({
      status: 0,
      stdout: expect.stringContaining('Exit status'),
    });
  });
});
