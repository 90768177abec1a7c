import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Progress, sizeText } from '../../src/cli/progress.ts';
import { WatchedFileSystem } from '../../src/cli/watched-file-system.ts';
import { openStore, salvage } from '../../src/engine/index.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

describe('progress', () => {
  const terminal = Object.getOwnPropertyDescriptor(process.stderr, 'isTTY');
  let shown: string[];

  beforeEach(() => {
    shown = [];
    vi.useFakeTimers({ toFake: ['performance'] });
    vi.spyOn(process.stderr, 'write').mockImplementation((text) => shown.push(String(text)) > 0);
  });
  afterEach(() => {
    vi.useRealTimers();
    vi.restoreAllMocks();
    if (terminal === undefined) Reflect.deleteProperty(process.stderr, 'isTTY');
    else Object.defineProperty(process.stderr, 'isTTY', terminal);
  });
  const standardErrorIs = (isTTY: boolean) =>
    Object.defineProperty(process.stderr, 'isTTY', { value: isTTY, configurable: true });

  test('counts up to what is expected, ten times a second at most, and cleans its line', () => {
    standardErrorIs(true);
    const progress = new Progress('copying', 4_000_000);
    progress.add(1_000_000);
    expect(shown).toEqual([]);
    vi.advanceTimersByTime(100);
    progress.add(1_000_000);
    progress.add(1_000_000);
    progress.end();
    expect(shown).toEqual(['\rcopying: 50 % of 4.00 MB\u001b[K', '\r\u001b[K']);
  });

  test('says how much was done where the whole is not known, and never more than all of it', () => {
    standardErrorIs(true);
    const open = new Progress('compacting');
    const grown = new Progress('salvaging', 1000);
    vi.advanceTimersByTime(100);
    open.add(2_500_000);
    grown.add(1500);
    expect(shown).toEqual([
      '\rcompacting: 2.50 MB\u001b[K',
      '\rsalvaging: 100 % of 1.00 KB\u001b[K',
    ]);
  });

  test('is silent where nobody watches', () => {
    standardErrorIs(false);
    const progress = new Progress('copying', 10);
    vi.advanceTimersByTime(1000);
    progress.add(5);
    progress.end();
    expect(shown).toEqual([]);
  });
});

test('a size never shows a thousand of its unit', () => {
  expect([999, 999_499, 999_500, 999_999_999, 5e15].map(sizeText)).toEqual([
    '999 bytes',
    '999 KB',
    '1.00 MB',
    '1.00 GB',
    '5.00e+3 TB',
  ]);
});

describe('a watched file system', () => {
  test('tells of every byte of an import twice, and of a salvage as often as it is read', async () => {
    const directory = temporaryDirectory();
    const file = join(directory, 'keys.jsonl');
    writeFileSync(file, '{"key_b64":"YQ==","value_b64":"Yg=="}\n'.repeat(1000));
    let readBytes = 0;
    const watch = (path: string) =>
      new WatchedFileSystem(
        (at) => at === path,
        (size) => (readBytes += size),
      );
    const store = await openStore(join(directory, 'store'), { fileSystem: watch(file) });
    await store.importJsonl(file);
    await store.close();
    expect(readBytes).toBe(2 * statSync(file).size);
    readBytes = 0;
    const segment = join(directory, 'store', '00000001.dwal');
    await salvage(join(directory, 'store'), join(directory, 'rescued'), {
      fileSystem: watch(segment),
    });
    expect(readBytes).toBeGreaterThanOrEqual(statSync(segment).size);
    expect(readBytes % statSync(segment).size).toBe(0);
  });
});
