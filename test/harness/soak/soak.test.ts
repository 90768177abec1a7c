import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { UsageError } from '../../../harness/command-line.ts';
import { parseOptions } from '../../../harness/soak/options/options.ts';
import { openStore } from '../../../src/engine/index.ts';
import { processState } from '../../support/process-state.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { until } from '../../support/until.ts';
import {
  LYING_STORE,
  readSamples,
  readSummary,
  runSoak,
  type SoakResult,
  startSoak,
} from './soak-command.ts';

const SMALL = ['--seed', '7', '--keys', '50', '--bytes', '4MB', '--sample-ms', '50'];

const REPORT_FILES = ['benchmark.json', 'junit.xml', 'report.html', 'samples.csv', 'summary.json'];

describe('a run that passes', () => {
  let first: SoakResult & { out: string };
  beforeAll(async () => {
    const out = mkdtempSync(join(tmpdir(), 'tidemark-test-'));
    first = { ...(await runSoak([...SMALL, '--out', out])), out };
    return () => rmSync(out, { recursive: true });
  });

  test('tidemark is reopened, compacted and compared, and leaves a report and no store', () => {
    const { code, stdout, out } = first;
    expect(code).toBe(0);
    expect(stdout).toMatch(/^PASS: /);
    expect(readdirSync(out).sort()).toEqual(REPORT_FILES);

    const summary = readSummary(out);
    expect(summary).toMatchObject({
      schema: 2,
      verdict: 'pass',
      exitCode: 0,
      seed: 7,
      storeDirectory: null,
    });
    expect(summary.totals.bytesWritten).toBeGreaterThanOrEqual(4_000_000);
    expect(summary.totals.compacts).toBeGreaterThan(0);
    expect(summary.totals.reopens).toBeGreaterThan(1);
    expect(summary.totals.keysChecked).toBeGreaterThan(50 * summary.totals.reopens);
    expect(summary.peakRssBytes).toBeGreaterThan(10_000_000);
    expect(summary.gates.map(({ name }: { name: string }) => name)).toEqual([
      'fds_leaked_when_closed',
      'fds_of_deleted_files',
      'fds_not_accounted_for',
      'fds_of_the_store',
      'floor_operations_per_key',
      'floor_syncs',
      'floor_reopens',
      'floor_compactions',
    ]);
  });

  test('samples begin with the promised columns and end with the totals of the summary', () => {
    const { out } = first;
    const header = readFileSync(join(out, 'samples.csv'), 'utf8').split('\n', 1)[0];
    expect(header).toMatch(
      /^elapsed_s,rss_kb,fds,segments,live_keys,puts,deletes,rotates,compacts,bytes_written,/,
    );
    const { totals } = readSummary(out);
    const last = readSamples(out).at(-1);
    expect(Number(last?.rss_kb)).toBeGreaterThan(10_000);
    expect(Number(last?.segments)).toBeGreaterThan(0);
    expect(last).toMatchObject({
      puts: String(totals.puts),
      deletes: String(totals.deletes),
      rotates: String(totals.rotates),
      compacts: String(totals.compacts),
      bytes_written: String(totals.bytesWritten),
      deleted_fds: '0',
    });
  });

  test('the same seed does the same, and a store directory that was named is kept, and can be opened', async () => {
    const out = temporaryDirectory();
    const store = join(out, 'store');
    const { code, stdout } = await runSoak([...SMALL, '--out', out, '--dir', store]);
    expect(code).toBe(0);
    expect(readSummary(out).totals).toEqual(readSummary(first.out).totals);
    expect(stdout).toContain(`kept in ${store}`);
    const opened = await openStore(store);
    expect(opened.recoveryReport.outcome).toBe('clean');
    expect(opened.size).toBeGreaterThan(0);
    await opened.close();
    const again = await runSoak([...SMALL, '--out', out, '--dir', store]);
    expect(again.code).toBe(2);
    expect(again.stderr).toMatch(/^soak: --dir: .* already holds something/);
  });

  test('time alone can be the goal', async () => {
    const out = temporaryDirectory();
    const { code } = await runSoak(['--seconds', '4', '--keys', '50', '--out', out]);
    expect(code).toBe(0);
    expect(readSummary(out).totals.puts).toBeGreaterThan(0);
  });
});

describe('a store that lies', () => {
  const lying = (out: string, lie: string) =>
    runSoak([...SMALL, '--adapter', LYING_STORE, '--out', out], lie);

  test.each([
    ['lost', /^BROKEN: lost: key "key-\d{12}" is absent; version \d+ was put last/],
    [
      'wrong',
      /^BROKEN: wrong: key "key-\d{12}" holds a damaged version \d+ of the same key, \d+ bytes/,
    ],
    ['resurrected', /^BROKEN: resurrected: key "key-\d{12}" was deleted after version \d+/],
    [
      'invented',
      /^BROKEN: invented: key "nobody put this" is listed by entries\(\), and was never put/,
    ],
    ['throws', /^BROKEN: the store failed \(put of "key-\d{12}"\): something went wrong/],
    ['exits', /^BROKEN: the store process ended in the middle, with exit status 7/],
  ])('%s ends with 1, and keeps the store', async (lie, message) => {
    const out = temporaryDirectory();
    const { code, stdout } = await lying(out, lie);
    expect(stdout).toMatch(message);
    expect(code).toBe(1);
    const { storeDirectory, command } = readSummary(out);
    expect(existsSync(storeDirectory)).toBe(true);
    expect(command).toContain('--seed 7 --bytes 4000000 --keys 50 --adapter');
    if (lie !== 'exits') return;
    expect(readSummary(out).process).toMatchObject({
      code: 7,
      signal: null,
      lastWords: ['the last words'],
    });
  });

  test.each([
    ['does not lie', 'none'],
    ['closes a deleted file a moment after its sync', 'closes-deleted-file-late'],
    ['has no sync, of which then none is asked', 'no-sync'],
  ])('the same store that %s passes', async (_, lie) => {
    expect((await lying(temporaryDirectory(), lie)).code).toBe(0);
  });

  test('a full disk is inconclusive', async () => {
    const { code, stdout } = await lying(temporaryDirectory(), 'full-disk');
    expect(stdout).toMatch(/^INCONCLUSIVE: no room on the disk/);
    expect(code).toBe(3);
  });

  test('a store that loses something on a full disk is broken: it is opened again and compared', async () => {
    const { code, stdout } = await lying(temporaryDirectory(), 'full-disk-loses');
    expect(stdout).toMatch(/^BROKEN: lost: key .*\(checking every key after a full disk/);
    expect(code).toBe(1);
  });

  test.each([
    ['leaks-descriptor', 'fds_leaked_when_closed'],
    ['keeps-deleted-file', 'fds_of_deleted_files'],
  ])('%s crosses a threshold', async (lie, gate) => {
    const out = temporaryDirectory();
    const { code, stdout } = await lying(out, lie);
    expect(stdout).toMatch(/^THRESHOLD CROSSED: /);
    expect(code).toBe(99);
    expect(readSummary(out).gates).toContainEqual(
      expect.objectContaining({ name: gate, value: 1, limit: 0, passed: false }),
    );
  });
});

describe('a run that is ended from outside', () => {
  const endless = ['--seconds', '600', '--keys', '200', '--sample-ms', '50', '--out'];
  const isWriting = (out: string) => readSamples(out).some(({ puts }) => Number(puts) > 0);

  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('%s to the whole group ends it in order', async (signal, exitCode) => {
    const out = temporaryDirectory();
    const soak = startSoak([...endless, out]);
    await until(() => isWriting(out));
    process.kill(-(soak.process.pid as number), signal);
    const { code, stdout } = await soak.result;
    expect(stdout).toMatch(/^INTERRUPTED: stopped in order/);
    expect(code).toBe(exitCode);
    const summary = readSummary(out);
    expect(summary).toMatchObject({ verdict: 'interrupted', outcome: { kind: 'stopped' } });
    expect(summary.process).toMatchObject({ code: 0, signal: null });
    expect(readdirSync(out).sort()).toEqual(REPORT_FILES);
  });

  test('a store process that is killed is reported as such', async () => {
    const out = temporaryDirectory();
    const soak = startSoak([...endless, out]);
    const pid = await soak.storeProcess;
    await until(() => isWriting(out));
    process.kill(pid, 'SIGKILL');
    const { code, stdout } = await soak.result;
    expect(stdout).toMatch(/^INCONCLUSIVE: the store process was killed from outside with SIGKILL/);
    expect(code).toBe(3);
    expect(readSummary(out).process).toMatchObject({ pid, code: null, signal: 'SIGKILL' });
  });

  test('a store process whose observer died does not stay', async () => {
    const out = temporaryDirectory();
    const soak = startSoak([...endless, out]);
    const pid = await soak.storeProcess;
    await until(() => isWriting(out));
    soak.process.kill('SIGKILL');
    // In a container nobody may wait for it: it has ended all the same.
    await until(() => [undefined, 'Z'].includes(processState(pid)));
  });
});

describe('real data', () => {
  test('every line is put, the last of a key counts, and the base64 form is understood', async () => {
    const out = temporaryDirectory();
    const lines = Array.from({ length: 500 }, (_, row) => ({ id: row % 400, text: `row ${row}` }));
    const input = join(out, 'rows.jsonl');
    writeFileSync(input, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
    const named = await runSoak([
      '--input',
      input,
      '--key-field',
      'id',
      '--passes',
      '3',
      '--out',
      out,
    ]);
    expect(named.code).toBe(0);
    expect(readSummary(out)).toMatchObject({
      totals: { puts: 1500, deletes: 0 },
      data: { rowCount: 500, keyCount: 400 },
    });

    const base64 = (text: string) => Buffer.from(text).toString('base64');
    writeFileSync(
      input,
      lines
        .map(({ id, text }) => JSON.stringify({ key: base64(`${id}`), payload: base64(text) }))
        .join('\n'),
    );
    const encoded = await runSoak(['--input', input, '--passes', '1', '--out', out]);
    expect(encoded.code).toBe(0);
    expect(readSummary(out).data).toEqual({ rowCount: 500, keyCount: 400 });
  });

  test('a malformed line is named, and nothing is left behind', async () => {
    const directory = temporaryDirectory();
    const input = join(directory, 'rows.jsonl');
    const out = join(directory, 'out');
    writeFileSync(input, '{"id":1}\n{"id":2}\n{"id":\n');
    const { code, stderr } = await runSoak(['--input', input, '--key-field', 'id', '--out', out]);
    expect(stderr).toMatch(/^soak: rows\.jsonl, line 3: not JSON/);
    expect(code).toBe(2);
    expect(existsSync(out)).toBe(false);
  });
});

describe('what cannot be done is refused with 2 and one line', () => {
  test.each([
    [['--byte', '1GB'], /^soak: unknown option '--byte' \(Did you mean --bytes\?\)$/],
    [['--baseline', '/none'], /^soak: --baseline: ENOENT/],
    [['--adapter', './no-such-file.mjs'], /^soak: cannot load .*no-such-file\.mjs/],
    [['--adapter', 'leveldb'], /^soak: there is no adapter "leveldb"/],
    [['--input', '/no/such/file.jsonl'], /^soak: cannot read \/no\/such\/file\.jsonl/],
  ])('%j', async (words, message) => {
    const { code, stderr, stdout } = await runSoak([
      ...words,
      '--out',
      join(temporaryDirectory(), 'out'),
    ]);
    expect(stderr).toMatch(message);
    expect(stderr.split('\n')).toHaveLength(1);
    expect(stdout).toBe('');
    expect(code).toBe(2);
  });

  test.each([
    [['--frobnicate'], /^unknown option '--frobnicate'$/],
    [['--bytes', 'many'], /--bytes/],
    [['--bytes', '0'], /--bytes/],
    [['--seed', '-1'], /--seed/],
    [['--seconds', 'x'], /--seconds/],
    [['--key-field', 'id'], /^--key-field needs --input$/],
    [['--passes', '2'], /^--passes needs --input$/],
    [['--force'], /^--force needs --dir$/],
    [['--chaos', 'often'], /--chaos/],
    [['--profile', 'weekly'], /^--profile: there is no profile "weekly": give nightly, pr, smoke/],
    [['--profile', './none.json'], /^--profile: cannot read .*none\.json/],
    [['--input', 'x.jsonl', '--keys', '5'], /^--keys has no meaning with --input$/],
    [['stray'], /too many arguments/],
  ])('%j, before anything is done', (words, message) => {
    const refusal = () => parseOptions([...words, '--out', 'out']);
    expect(refusal).toThrow(UsageError);
    expect(refusal).toThrow(message);
    expect(refusal).toThrow(/^.*$/);
  });

  test('an adapter whose store lacks a method', async () => {
    const out = temporaryDirectory();
    const { code, stderr } = await runSoak(
      [...SMALL, '--adapter', LYING_STORE, '--out', out],
      'no-delete',
    );
    expect(stderr).toMatch(/lying-store\.mjs: the store has no method delete\(\)$/);
    expect(code).toBe(2);
    expect(readdirSync(out)).toEqual([]);
  });

  test('an output directory that cannot be made', async () => {
    const file = join(temporaryDirectory(), 'file');
    writeFileSync(file, '');
    const { code, stderr } = await runSoak([...SMALL, '--out', join(file, 'out')]);
    expect(stderr).toMatch(/^soak: --out: /);
    expect(code).toBe(2);
  });
});

test.runIf(process.platform === 'linux')(
  'an output directory that cannot be made is refused, even where the one above it is there and denies it',
  async () => {
    const { code, stderr } = await runSoak(['--bytes', '1MB', '--out', '/proc/nope/deeper']);
    expect(stderr).toMatch(/^soak: --out: ENOENT: .*'\/proc\/nope'/);
    expect(code).toBe(2);
  },
);
