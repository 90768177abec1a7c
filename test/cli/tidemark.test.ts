import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openStore } from '../../src/engine/index.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const MAIN = 'dist/src/cli/main.js';

function tidemark(...words: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [MAIN, ...words], { encoding: 'utf8' });
}

async function damagedStore(): Promise<string> {
  const directory = join(temporaryDirectory(), 'store');
  const store = await openStore(directory);
  store.put('first', 'value');
  store.put('second', 'value');
  await store.close();
  const segment = join(directory, '00000001.dwal');
  const bytes = readFileSync(segment);
  bytes[30] = (bytes[30] as number) ^ 1;
  writeFileSync(segment, bytes);
  return directory;
}

describe('the tidemark command', () => {
  test('hexdump names every field and shows both checksums', async () => {
    const directory = await damagedStore();
    const damaged = tidemark('hexdump', directory, '00000001.dwal:0');
    expect(damaged.status).toBe(3);
    expect(damaged.stdout).toContain('not a valid frame: crc-mismatch');
    expect(damaged.stdout).toMatch(/stored 0x[0-9a-f]{8}, computed 0x[0-9a-f]{8}/);
    const whole = tidemark('hexdump', directory, '00000001.dwal:38');
    expect(whole.status).toBe(0);
    for (const field of [
      'magic',
      'version',
      'type',
      'flags',
      'txid',
      'key length',
      'payload length',
      'key',
      'crc-32c',
    ]) {
      expect(whole.stdout).toContain(field);
    }
    expect(whole.stdout).toContain('a valid frame');
  });

  test('the command that a refusal names runs as it is written', async () => {
    const directory = await damagedStore();
    const refusal = await openStore(directory).catch((error: Error) => error.message);
    const [, words] = /npx tidemark (hexdump \S+ \S+)\. /.exec(String(refusal)) ?? [];
    expect(tidemark(...String(words).split(' ')).stdout).toContain('crc-mismatch');
  });

  test('salvage says what it kept and lost, and exits 2', async () => {
    const directory = await damagedStore();
    const target = join(directory, '..', 'rescued');
    const { status, stdout } = tidemark('salvage', directory, target);
    expect(status).toBe(2);
    expect(stdout).toContain('1 record kept');
    expect(stdout).toContain('lost: 38 bytes at 00000001.dwal:0 (crc-mismatch)');
    expect(tidemark('salvage', directory, target)).toMatchObject({ status: 1, stdout: '' });
  });

  test.each([
    [['hexdump', '.', 'nonsense'], /'nonsense' is not a place; give one such as/],
    [['hexdump', '/nowhere', '00000001.dwal:0'], /there is no store in \/nowhere/],
    [['salvge'], /Did you mean salvage/],
    [['salvage', '.'], /missing required argument 'new-directory'/],
  ])('wrong words exit 1 with what to do: %j', (words, message) => {
    const { status, stderr } = tidemark(...words);
    expect(status).toBe(1);
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/at .*\.js/);
  });

  test('help goes to standard output and exits 0', () => {
    expect(execFileSync(process.execPath, [MAIN, '--help'], { encoding: 'utf8' })).toContain(
      'Exit status',
    );
  });

  test('hexdump into a closed pipe ends quietly', async () => {
    const directory = await damagedStore();
    const copy = join(directory, '..', 'copy');
    cpSync(directory, copy, { recursive: true });
    const script = `${process.execPath} ${MAIN} hexdump ${copy} 00000001.dwal:0 | head -1`;
    const { stderr, stdout } = spawnSync('sh', ['-c', script], { encoding: 'utf8' });
    expect(stderr).toBe('');
    expect(stdout).toContain('magic');
  });
});
