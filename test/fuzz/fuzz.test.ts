import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { withAllocationWatch } from '../../harness/fuzz/allocation-watch.ts';
import { mendFrames, mendSeal } from '../../harness/fuzz/checksum-mending.ts';
import { keepFinding, readFinding } from '../../harness/fuzz/fuzz-findings.ts';
import { kindOf } from '../../harness/fuzz/fuzz-shrink.ts';
import { seedStores } from '../../harness/fuzz/seed-stores.ts';
import { makeInput, TARGETS } from '../../harness/fuzz/targets.ts';
import { decodeFrame } from '../../src/engine/format/frame.ts';
import { decodeSealHeader } from '../../src/engine/seal/seal-file.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const MAIN = 'dist/harness/fuzz/main.js';

function fuzz(...words: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [MAIN, ...words], { encoding: 'utf8' });
}

test('a seed and a number give the same input every time, and every entrance has its turn', async () => {
  const seeds = await seedStores();
  const again = await seedStores();
  expect(again).toEqual(seeds);
  const names = new Set<string>();
  for (let index = 0; index < 250; index++) {
    const { target, input } = makeInput(7, index, seeds, undefined);
    names.add(target.name);
    expect(makeInput(7, index, again, undefined)).toEqual({ target, input });
  }
  // The command takes a process an input, and is chosen seldom.
  expect([...names, 'command'].sort()).toEqual(
    [...new Set([...TARGETS.map(({ name }) => name)])].sort(),
  );
});

test('mended checksums lead behind the checksum, where the bytes were changed', async () => {
  const seeds = await seedStores();
  let frames = 0;
  let seals = 0;
  for (const files of seeds) {
    for (const [name, bytes] of files) {
      const changed = Buffer.from(bytes);
      if (name.endsWith('.dwal') && decodeFrame(changed).ok && changed.length > 30) {
        changed[24] = (changed[24] as number) ^ 0xff;
        expect(decodeFrame(changed).ok).toBe(false);
        expect(decodeFrame(mendFrames(changed)).ok).toBe(true);
        frames++;
      }
      if (name.endsWith('.seal') && decodeSealHeader(changed) !== undefined) {
        changed[40] = (changed[40] as number) ^ 0xff;
        expect(decodeSealHeader(changed)).toBeUndefined();
        expect(decodeSealHeader(mendSeal(changed, undefined))).toBeDefined();
        seals++;
      }
    }
  }
  expect(Math.min(frames, seals)).toBeGreaterThan(0);
});

test('a buffer out of proportion to the input is a finding, also when the error is swallowed', async () => {
  const claim = () => {
    try {
      Buffer.alloc(64 * 1024 * 1024);
    } catch {
      // As code under test might.
    }
  };
  await expect(withAllocationWatch(100, claim)).rejects.toThrow(
    '67108864 bytes for an input of 100',
  );
  await withAllocationWatch(64 * 1024 * 1024, claim);
});

/**
 * A process an input, so a campaign has few of them; test/cli holds the command to its promises.
 */
const SLOW = 'command';

test.each(TARGETS.filter(({ name }) => name !== SLOW))(
  '$name takes hundreds of mutated inputs without a finding',
  ({ name }) => {
    const out = join(temporaryDirectory(), 'out');
    const { status, stdout } = fuzz(
      '--inputs',
      '500',
      '--seed',
      '1',
      '--target',
      name,
      '--out',
      out,
    );
    expect([status, stdout.split(':')[0]]).toEqual([0, 'PASS']);
    expect(stdout).toContain(`${name} 500`);
    expect(existsSync(out)).toBe(false);
  },
);

test('a finding is kept as it is, and checked again by the command that it names', () => {
  const input = new Map([['../escape', Buffer.from('DWAL')]]);
  const finding = { index: 5, target: 'frames', message: 'broken at 17', input };
  const out = temporaryDirectory();
  const directory = keepFinding(out, 9, finding);
  expect(readFinding(directory)).toEqual({ target: 'frames', input });
  expect(existsSync(join(out, '..', 'escape'))).toBe(false);
  expect(kindOf(finding)).toBe(kindOf({ ...finding, message: 'broken at 4711' }));
  const { status, stdout } = fuzz('--reproduce', directory);
  expect([status, stdout]).toEqual([0, 'PASS: not a finding any more\n']);
});

test('wrong words are told with exit status 2', () => {
  for (const words of [
    ['--inputs', '0'],
    ['--target', 'nothing'],
    ['--reproduce', 'nowhere'],
    ['--sed', '1'],
  ]) {
    const { status, stderr } = fuzz(...words);
    expect([words, status]).toEqual([words, 2]);
    expect(stderr).not.toMatch(/^\s+at /m);
  }
  expect(fuzz('--help').status).toBe(0);
});
