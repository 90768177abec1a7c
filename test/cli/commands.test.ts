import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { openReader, openStore } from '../../src/engine/index.ts';
import { type Ended, jsonLines, shell, textOf, tidemark } from './cli-process.ts';
import { contents, LONG, type SampleStores, sampleStores } from './sample-stores.ts';

let stores: SampleStores;
beforeAll(async () => {
  stores = await sampleStores();
});
afterAll(() => stores.remove());

/**
 * `@sound` is the directory of that store, `@copy` one like it to write to, `@new` a path at which
 * nothing is.
 */
function wordsOf(line: string): string[] {
  const places = stores as unknown as Record<string, string>;
  return line.split(' ').map((word) => {
    if (word === '@new') return join(stores.fresh(), 'new');
    if (word === '@copy') return stores.copy('sound');
    return word.replace(/^@(\w+)$/, (_, name) => places[name] as string);
  });
}

type Expected = readonly [line: string, status: number, stdout: RegExp, stderr: RegExp];
const NOTHING = /^$/;

const CASES: readonly Expected[] = [
  ['scan @sound', 0, /^00000001\.dwal:0\t1\tput\ttext\tvalue\n/, NOTHING],
  ['scan @sound', 0, /\thex:000102ff\thex:000102ff\n/, NOTHING],
  ['scan @sound', 0, /\tdelete\tgone\t\n/, NOTHING],
  ['scan @sound', 0, /\tput\tReykjavík\t(long ){16}\.\.\. \(420 bytes more\)\n$/, NOTHING],
  ['scan @sound --no-truncate', 0, /\t(long ){100}\n$/, NOTHING],
  ['scan @sound --limit 2', 0, /^(.*\n){2}$/, NOTHING],
  ['scan @sound --limit 0', 0, NOTHING, NOTHING],
  [
    'scan @sound --from 00000003.dwal:0 --limit 1',
    0,
    /^00000003\.dwal:0\t5\tput\ttext\tnewer\n$/,
    NOTHING,
  ],
  ['scan @sound --from 2:1', 0, /^00000002\.dwal:36\t/, NOTHING],
  ['scan @sound --from 9:0', 0, NOTHING, NOTHING],
  ['scan @locked', 0, /Reykjavík/, NOTHING],
  ['scan @torn', 0, /\tnewer\n$/, NOTHING],
  ['scan @corrupt', 3, NOTHING, /^tidemark: STORE_CORRUPT: .*hexdump.*salvage/],
  [
    'scan @corrupt --json',
    3,
    NOTHING,
    /^\{"schema":1,"kind":"error","code":"STORE_CORRUPT",.*"exitCode":3\}\n$/,
  ],
  ['scan @missing', 1, NOTHING, /NOT_FOUND: .*Name the directory/],
  ['scan @empty', 1, NOTHING, /there is no store in/],
  ['scan package.json', 1, NOTHING, /NOT_A_DIRECTORY: .*Name the directory/],
  [
    'scan',
    1,
    NOTHING,
    /^tidemark: missing required argument 'directory'\. .*tidemark scan --help.*\n$/,
  ],
  ['scan @sound --limit many', 1, NOTHING, /--limit <n>.*whole number/],
  ['scan @sound --from nowhere', 1, NOTHING, /'nowhere' is not a place; give one such as/],
  ['scan @sound --limt 3', 1, NOTHING, /Did you mean --limit/],
  ['get @sound --key text', 0, /^newer\n$/, NOTHING],
  ['get @sound --key-hex 000102FF', 0, /^hex:000102ff\n$/, NOTHING],
  ['get @sound --key-base64 AAEC/w==', 0, /^hex:000102ff\n$/, NOTHING],
  ['get @sound --key gone', 2, NOTHING, /the key gone is not in/],
  ['get @sound --key gone --json', 2, /"found":false/, NOTHING],
  ['get @sound', 1, NOTHING, /give the key, once/],
  ['get @sound --key=', 2, NOTHING, /the empty key is not in/],
  ['get @sound --key a --key-hex 00', 1, NOTHING, /give the key, once/],
  ['get @sound --key-hex 0', 1, NOTHING, /'0' is not hexadecimal/],
  ['get @sound --key-base64 ?', 1, NOTHING, /'\?' is not base64/],
  ['get @corrupt --key text', 3, NOTHING, /STORE_CORRUPT/],
  ['get @sound text', 0, /^newer\n$/, NOTHING],
  ['get @sound text --key text', 1, NOTHING, /give the key, once/],
  ['get @sound nothing', 2, NOTHING, /nothing is not in .*: tidemark keys \//],
  ['keys @sound', 0, /^hex:000102ff\nReykjavík\ntext\n$/, NOTHING],
  ['keys @sound --prefix Rey', 0, /^Reykjavík\n$/, NOTHING],
  ['keys @sound --prefix-hex 0001', 0, /^hex:000102ff\n$/, NOTHING],
  ['keys @sound --prefix Reykjavíks', 0, NOTHING, NOTHING],
  ['keys @sound --prefix a --prefix-hex 00', 1, NOTHING, /give the prefix, once/],
  ['keys @sound --limit 1', 0, /^hex:000102ff\n$/, NOTHING],
  ['keys @missing', 1, NOTHING, /NOT_FOUND: .*tidemark put DIRECTORY KEY VALUE/],
  ['put @new city Oslo', 0, /^the key city: 4 bytes put at 00000001\.dwal:0, durably\n$/, NOTHING],
  ['put @new -- -city -Oslo', 0, /^the key -city: 5 bytes put/, NOTHING],
  ['put @new --key-hex 00ff value', 0, /^the key hex:00ff: 5 bytes put/, NOTHING],
  ['put @new city --value-hex 00ff', 0, /: 2 bytes put/, NOTHING],
  ['put @new city --value-base64 AP8=', 0, /: 2 bytes put/, NOTHING],
  ['put @new city --value-file package.json', 0, /: \d{4} bytes put/, NOTHING],
  ['put @new city --value-file @missing', 1, NOTHING, /--value-file: ENOENT/],
  ['put @new city Oslo --value-hex 00', 1, NOTHING, /give the value, once/],
  ['put @new city', 1, NOTHING, /give the value, once.*tidemark del/],
  ['put @new', 1, NOTHING, /give the key, once/],
  ['put @new --key-hex 00 value more', 1, NOTHING, /give the key, once/],
  ['put @locked city Oslo', 1, NOTHING, /STORE_LOCKED: .*tidemark doctor DIRECTORY says who/],
  ['put package.json city Oslo', 1, NOTHING, /NOT_A_DIRECTORY/],
  ['del @copy text', 0, /^the key text deleted, durably\n$/, NOTHING],
  ['del @copy nothing', 2, NOTHING, /the key nothing is not in/],
  ['del @missing text', 1, NOTHING, /there is no store/],
  ['del @copy', 1, NOTHING, /give the key, once/],
  ['doctor @copy', 0, /runtime +Node 2\d\..*[\s\S]*CRC-32C by [\s\S]*verdict: sound\n$/, NOTHING],
  ['doctor @copy', 0, /lock +a kernel lock, with a lease beside it; nobody writes now\n/, NOTHING],
  ['doctor @copy', 0, / disk +\w+; an fsync takes [\d.]+ [µm]s/, NOTHING],
  ['doctor @locked', 0, /process \d+ on .+ writes now, with the kernel lock\n/, NOTHING],
  ['doctor @corrupt', 3, /runtime[\s\S]*corruption[\s\S]*verdict: corrupt\n$/, NOTHING],
  ['doctor @missing', 1, NOTHING, /NOT_FOUND/],
  ['stats @sound', 0, /keys +3\nsegments +3, 0 of them empty, 2 with a seal file/, NOTHING],
  ['stats @missing', 1, NOTHING, /NOT_FOUND/],
  ['report @sound', 0, /^outcome +whole\n/, NOTHING],
  ['report @locked', 0, /^outcome +whole\n/, NOTHING],
  [
    'report @torn',
    2,
    /outcome +torn[\s\S]*ignored +\d+ bytes from 00000003\.dwal:37 on: truncated/,
    NOTHING,
  ],
  ['report @corrupt', 3, NOTHING, /STORE_CORRUPT/],
  [
    'check @sound',
    0,
    /2 sealed segments, each with its seal file[\s\S]*verdict: sound\n$/,
    NOTHING,
  ],
  ['check @torn', 2, /recoverable +opening[\s\S]*verdict: recoverable/, NOTHING],
  [
    'check @unsealed',
    2,
    /2 sealed segments have no valid seal file \(00000001\.dwal, 00000002\.dwal\)/,
    NOTHING,
  ],
  ['check @corrupt', 3, /corruption +opening +STORE_CORRUPT[\s\S]*verdict: corrupt\n$/, NOTHING],
  ['check @missing', 1, NOTHING, /NOT_FOUND/],
  ['verify @sound', 0, /^6 records in 3 segments, 2 seal files, .*: no damage\n$/, NOTHING],
  ['verify @unsealed', 2, /^damaged-seal: of segment 2\n/, NOTHING],
  ['verify @torn', 0, /no damage\n$/, NOTHING],
  ['verify @corrupt', 3, NOTHING, /STORE_CORRUPT/],
  ['verify @rotten', 3, /^crc-mismatch: 532 bytes at 00000001\.dwal:37.*\n.*damages: 1/, NOTHING],
  ['verify @sound --bytes-per-second 0', 1, NOTHING, /number above 0/],
  ['check @rotten', 3, /corruption +contents +crc-mismatch[\s\S]*verdict: corrupt\n$/, NOTHING],
  ['backup @copy @new', 0, /holds every record before 00000003\.dwal:575\n$/, NOTHING],
  ['backup @copy @corrupt', 1, NOTHING, /TARGET_NOT_EMPTY/],
  ['backup @missing @new', 1, NOTHING, /there is no store/],
  ['dump @sound --limit 1', 0, /^00000001\.dwal:0\t1\tput\t4\t5\t37\n$/, NOTHING],
  ['dump @sound --from 3:1', 0, /^00000003\.dwal:37\t6\tput\t10\t500\t538\n$/, NOTHING],
  [
    'hexdump @corrupt 3:0',
    3,
    /stored 0x[0-9a-f]{8}, computed 0x[0-9a-f]{8}[\s\S]*not a valid frame: crc-mismatch/,
    NOTHING,
  ],
  ['hexdump @sound 1:37', 0, /a valid frame\n$/, NOTHING],
  [
    'hexdump @missing 1:0',
    1,
    NOTHING,
    /^tidemark: NOT_FOUND: there is no store in \/.*Name the directory/,
  ],
  [
    'hexdump package.json 1:0',
    1,
    NOTHING,
    /^tidemark: NOT_FOUND: there is no store in \/.*Name the directory/,
  ],
  ['hexdump @sound 1:1', 3, /not a valid frame: bad-magic/, NOTHING],
  ['hexdump @sound 1:99999', 1, NOTHING, /the segment ends before/],
  ['hexdump @sound 7:0', 1, NOTHING, /00000007\.dwal does not exist/],
  ['hexdump @sound 0:0', 1, NOTHING, /'0:0' is not a place/],
  ['export @sound -', 0, /^\{"key_b64":"AAEC\/w==","value_b64":"AAEC\/w=="\}\n/, NOTHING],
  ['export @sound @new', 0, /^3 keys written to /, NOTHING],
  ['export @corrupt @new', 3, NOTHING, /STORE_CORRUPT/],
  [
    'export @sound @missing/x',
    1,
    NOTHING,
    /^tidemark: NOT_FOUND: cannot export: .*missing does not exist\. For more: tidemark export --help\n$/,
  ],
  [
    'export @sound package.json/x',
    1,
    NOTHING,
    /cannot export: .*package\.json is not a directory\. For more: tidemark \w+ --help\n$/,
  ],
  ['export @sound @empty', 1, NOTHING, /empty is a directory; name a file\n$/],
  ['export @sound /dev/null', 1, NOTHING, /\/dev\/null is no plain file/],
  ['export @sound @missing/x --json', 1, NOTHING, /"code":"NOT_FOUND"/],
  ['import @new @missing', 1, NOTHING, /does not exist; give a file of JSON lines/],
  ['import @new @empty', 1, NOTHING, /is no plain file; give a file of JSON lines/],
  ['import @new -', 1, NOTHING, /give a file instead/],
  ['import @locked package.json', 1, NOTHING, /STORE_LOCKED: .*only read/],
  ['import @new package.json', 1, NOTHING, /IMPORT_MALFORMED: line 1/],
  ['compact @locked', 1, NOTHING, /STORE_LOCKED/],
  [
    'compact @missing',
    1,
    NOTHING,
    /^tidemark: NOT_FOUND: there is no store in \/.*Name the directory.*\.\n$/,
  ],
  ['compact @missing --json', 1, NOTHING, /"code":"NOT_FOUND"/],
  [
    'compact @copy package.json/x',
    1,
    NOTHING,
    /NOT_A_DIRECTORY: .*package\.json\/x is not a directory\. For more: tidemark \w+ --help\n$/,
  ],
  [
    'backup @copy package.json/x',
    1,
    NOTHING,
    /NOT_A_DIRECTORY: .*package\.json\/x is not a directory\. For more: tidemark \w+ --help\n$/,
  ],
  [
    'salvage @sound package.json/x',
    1,
    NOTHING,
    /NOT_A_DIRECTORY: .*package\.json\/x is not a directory\. For more: tidemark \w+ --help\n$/,
  ],
  ['salvage @missing @new', 1, NOTHING, /NOT_FOUND: .*missing does not exist\. Name the directory/],
  ['compact @sound --dead-ratio 2', 1, NOTHING, /number from 0 to 1/],
  ['compact @corrupt', 3, NOTHING, /STORE_CORRUPT/],
  ['repair-seals @locked', 1, NOTHING, /STORE_LOCKED/],
  ['repair-seals @empty', 1, NOTHING, /there is no store/],
  [
    'salvage @corrupt @new',
    2,
    /records kept in .*\nlost: 37 bytes at 00000003\.dwal:0 \(crc-mismatch\)\n$/,
    NOTHING,
  ],
  [
    'salvage @rotten @new',
    2,
    /lost: 532 bytes at 00000001\.dwal:37 \(crc-mismatch\); its seal file names 1 record there: gone\n$/,
    NOTHING,
  ],
  ['salvage @corrupt @sound', 1, NOTHING, /TARGET_NOT_EMPTY: .*; name a new one\n$/],
  ['completion tcsh', 1, NOTHING, /Allowed choices are bash, zsh, fish/],
  ['corpus verify @missing', 2, NOTHING, /missing/],
  ['soak --help', 0, /--profile/, NOTHING],
  ['crash --nonsense', 2, NOTHING, /unknown option/],
  ['salvge', 1, NOTHING, /Did you mean salvage/],
  ['help salvge', 1, NOTHING, /^tidemark: unknown command 'salvge'\. Did you mean salvage\?/],
  ['help scan', 0, /--from <segment:offset>/, NOTHING],
  ['--version', 0, /^\d+\.\d+\.\d+\n$/, NOTHING],
  ['', 1, NOTHING, /^Usage: tidemark/],
];

describe.concurrent('a command', () => {
  test.each(CASES)('tidemark %s: exit %i', async (line, status, stdout, stderr) => {
    const ended = await tidemark(...(line === '' ? [] : wordsOf(line)));
    expect(ended).toMatchObject({
      status,
      stdout: expect.stringMatching(stdout),
      stderr: expect.stringMatching(stderr),
    });
    expect(ended.stderr).not.toMatch(/^\s+at /m);
    // Whatever is wrong, the next thing to try stands there.
    if (ended.stderr.startsWith('tidemark: '))
      expect(ended.stderr).toMatch(
        /tidemark [a-z-]|--help|\bgive |[Nn]ame |Did you mean|choices are/,
      );
  });

  test('that puts or deletes has done so for the next one, with any bytes', async () => {
    const store = join(stores.fresh(), 'new');
    await tidemark('put', store, 'a/1', 'one');
    await tidemark('put', store, '--key-hex', '00ff', '--value-hex', 'ff00');
    await tidemark('put', store, 'a/2', '');
    await tidemark('del', store, 'a/1');
    expect((await tidemark('keys', store, '--prefix', 'a/')).stdout).toBe('a/2\n');
    expect((await tidemark('get', store, '--key-hex', '00ff')).stdout).toBe('hex:ff00\n');
    expect(
      (await shell(`printf 'from a pipe' | $tidemark put ${store} a/3 --value-file -`)).status,
    ).toBe(0);
    expect((await tidemark('get', store, 'a/3')).stdout).toBe('from a pipe\n');
    // Of an absent key nothing is written.
    const before = contents(store);
    expect((await tidemark('del', store, 'a/1')).status).toBe(2);
    expect(contents(store)['00000001.dwal']).toBe(before['00000001.dwal']);
  });

  test('that only reads leaves every byte as it was', async () => {
    const torn = stores.copy('torn');
    const before = contents(torn);
    for (const words of ['scan', 'keys', 'stats', 'report', 'check', 'doctor', 'dump'])
      await tidemark(words, torn);
    expect(contents(torn)).toEqual(before);
  });
});

describe.concurrent('JSON', () => {
  test('of a scan holds every byte', async () => {
    const records = jsonLines((await tidemark('scan', stores.sound, '--json')).stdout);
    expect(records).toHaveLength(6);
    expect(records.at(-1)).toEqual({
      kind: 'record',
      segment: 3,
      offset: 37,
      bytes: 538,
      txid: 6,
      type: 'put',
      key_b64: Buffer.from('Reykjavík').toString('base64'),
      value_b64: Buffer.from(LONG).toString('base64'),
    });
  });

  test.each([
    [
      'get @sound --key text',
      { kind: 'value', found: true, segment: 3, offset: 0, value_b64: 'bmV3ZXI=' },
    ],
    ['stats @sound', { kind: 'stats', keys: 3, segments: 3, seals: 2 }],
    [
      'report @torn',
      {
        kind: 'report',
        outcome: 'torn',
        tail: { segment: 3, offset: 37, bytes: 535, damage: 'truncated' },
      },
    ],
    ['check @sound', { kind: 'verdict', verdict: 'ok' }],
    ['check @corrupt', { kind: 'verdict', verdict: 'corruption' }],
    ['dump @sound', { kind: 'frame', keyBytes: 10, payloadBytes: 500 }],
    ['hexdump @sound 1:0', { kind: 'hexdump', verdict: 'valid' }],
    [
      'salvage @corrupt @new',
      {
        kind: 'salvage',
        recordsKept: 5,
        lost: [{ segment: 3, offset: 0, bytes: 37, damage: 'crc-mismatch', bySeal: null }],
        lostCount: 1,
        lostBytes: 37,
      },
    ],
    [
      'salvage @rotten @new',
      {
        lost: [
          {
            segment: 1,
            bySeal: { recordCount: 1, records: [{ type: 'put', key_b64: 'Z29uZQ==' }] },
          },
        ],
      },
    ],
    ['keys @sound', { kind: 'key', key_b64: 'dGV4dA==' }],
    ['put @new a b', { kind: 'put', key_b64: 'YQ==', segment: 1, offset: 0, bytes: 30 }],
    ['del @copy text', { kind: 'del', key_b64: 'dGV4dA==', found: true }],
    ['del @copy nothing', { kind: 'del', found: false }],
    ['doctor @copy', { kind: 'verdict', verdict: 'ok' }],
    ['export @sound @new', { kind: 'export', keys: 3 }],
    ['verify @rotten', { kind: 'verify', records: 5, damageCount: 1 }],
    ['backup @copy @new', { kind: 'backup', end: { segment: 3, offset: 575 } }],
    ['compact @copy @new', { kind: 'compact', keys: 3 }],
  ])('of %s', async (line, expected) => {
    const { stdout } = await tidemark(...wordsOf(`${line} --json`));
    expect(jsonLines(stdout).at(-1)).toMatchObject(expected);
  });
});

describe.concurrent('wrong words with --json', () => {
  test.each([
    ['scan --json', /^missing required argument 'directory'/],
    ['scan @sound --json --limt 3', /^unknown option '--limt'\. Did you mean --limit\?/],
    ['scan @sound --limit many --json', /^option '--limit <n>' argument 'many' is invalid/],
    ['scan @sound more --json', /^too many arguments for 'scan'/],
    ['--json scan @sound', /^unknown option '--json'\. Options go behind the command\./],
    ['salvge --json', /^unknown command 'salvge'\. Did you mean salvage\?/],
    ['completion tcsh --json', /^unknown option '--json'/],
    ['get @sound --json', /^give the key, once/],
    ['help salvge --json', /^unknown command 'salvge'\. Did you mean salvage\?/],
  ])('%s: one line of JSON', async (line, message) => {
    const { status, stdout, stderr } = await tidemark(...wordsOf(line));
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(jsonLines(stderr)).toEqual([
      { kind: 'error', message: expect.stringMatching(message), exitCode: 1 },
    ]);
  });

  test('help that was asked for is help', async () => {
    expect(await tidemark('scan', '--json', '--help')).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/^Usage: tidemark scan/),
      stderr: '',
    });
  });
});

describe.concurrent('what is written', () => {
  test('an export is imported as it was', async () => {
    const file = join(stores.fresh(), 'keys.jsonl');
    const target = join(stores.fresh(), 'store');
    await tidemark('export', stores.sound, file);
    expect((await tidemark('import', target, file)).stdout).toBe(
      `3 keys put into ${target}, durably\n`,
    );
    expect((await tidemark('export', target, '-')).stdout).toBe(readFileSync(file, 'utf8'));
  });

  test('a store is compacted into a new directory, and in place', async () => {
    const source = stores.copy('sound');
    const target = join(stores.fresh(), 'new');
    expect(await tidemark('compact', source, target)).toMatchObject({ status: 0, stderr: '' });
    const inPlace = await tidemark('compact', source, '--dead-ratio', '0.1');
    expect(inPlace).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/merges: .* became/),
    });
    for (const directory of [source, target])
      expect((await tidemark('export', directory, '-')).stdout).toBe(
        (await tidemark('export', stores.sound, '-')).stdout,
      );
    expect((await tidemark('compact', source, target)).stderr).toMatch(/TARGET_NOT_EMPTY/);
  });

  test('seal files that are missing or damaged are rebuilt', async () => {
    const directory = stores.copy('unsealed');
    expect((await tidemark('repair-seals', directory)).stdout).toBe(
      '00000001.seal was missing: written anew\n00000002.seal was damaged: written anew\n',
    );
    expect(contents(directory)['00000001.seal']).toBe(contents(stores.sound)['00000001.seal']);
    expect((await tidemark('repair-seals', directory)).stdout).toMatch(/every sealed segment/);
  });

  test('nothing is made of a directory or a file that was mistyped', async () => {
    const target = join(stores.fresh(), 'store');
    await tidemark('import', target, stores.missing);
    await tidemark('import', target, 'package.json');
    expect(existsSync(target)).toBe(false);
    for (const command of ['compact', 'repair-seals']) await tidemark(command, stores.missing);
    expect(existsSync(stores.missing)).toBe(false);
  });

  test('a backup has what the store had', async () => {
    const target = join(stores.fresh(), 'backup');
    await tidemark('backup', stores.copy('sound'), target);
    expect((await tidemark('export', target, '-')).stdout).toBe(
      (await tidemark('export', stores.sound, '-')).stdout,
    );
  });

  test('a salvaged store opens', async () => {
    const target = join(stores.fresh(), 'rescued');
    await tidemark('salvage', stores.corrupt, target);
    const reader = await openReader(target);
    expect(reader.size).toBe(3);
    await reader.close();
  });
});

describe.concurrent('pipes', () => {
  test.each(['scan @big', 'scan @big --json', 'dump @big', 'export @big -', 'hexdump @big 1:0'])(
    '%s | head ends quietly',
    async (line) => {
      const ended: Ended = await shell(`$tidemark ${line.replace('@big', stores.big)} | head -1`);
      expect(ended.stderr).toBe('');
      expect(ended.stdout).toMatch(/^.+\n$/);
    },
  );

  test('a full device is told, not taken for success', async () => {
    const ended = await shell(`$tidemark scan ${stores.sound} > /dev/full`);
    expect(ended).toMatchObject({ status: 1, stderr: expect.stringMatching(/ENOSPC/) });
  });

  test('there is no colour and no progress in a pipe', async () => {
    const { stdout, stderr } = await tidemark('check', stores.torn);
    expect(stdout + stderr).not.toContain('\u001b');
  });
});

test('a scan follows a writer until it is interrupted', async () => {
  const directory = join(stores.fresh(), 'live');
  const store = await openStore(directory);
  store.put('before', 'value');
  const child = spawn(process.execPath, ['dist/src/cli/main.js', 'scan', directory, '--follow']);
  onTestFinished(() => void child.kill('SIGKILL'));
  const ended = once(child, 'close');
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  expect((await lines.next()).value).toMatch(/\tput\tbefore\t/);
  store.put('after', 'value');
  expect((await lines.next()).value).toMatch(/\tput\tafter\t/);
  child.kill('SIGINT');
  expect(await ended).toEqual([null, 'SIGINT']);
  await store.close();
});

/**
 * Flags of Node: the process gets a SIGINT when it has made the directory of that name, however
 * fast it goes on.
 */
function interruptedWhenItMakes(name: string): string[] {
  const code = `
    import fs from 'node:fs';
    import { syncBuiltinESMExports } from 'node:module';
    const { mkdirSync } = fs;
    fs.mkdirSync = (path, ...rest) => {
      const made = mkdirSync(path, ...rest);
      if (path.includes(${JSON.stringify(name)})) process.kill(process.pid, 'SIGINT');
      return made;
    };
    syncBuiltinESMExports();`;
  return ['--import', `data:text/javascript,${encodeURIComponent(code)}`];
}

test('a rebuild that is interrupted says so, and leaves nothing behind', async () => {
  const root = stores.fresh();
  const directory = join(root, 'store');
  const store = await openStore(directory);
  const value = Buffer.alloc(64 * 1024);
  store.batch(
    Array.from({ length: 100 }, (_, index) => ({ type: 'put', key: `key-${index}`, value })),
  );
  await store.close();
  const words = [...interruptedWhenItMakes('new.unfinished-'), 'dist/src/cli/main.js'];
  const child = spawn(process.execPath, [...words, 'compact', directory, join(root, 'new')]);
  const ended = once(child, 'close');
  expect(await textOf(child.stderr)).toBe('tidemark: interrupted by SIGINT\n');
  expect(await ended).toEqual([130, null]);
  expect(readdirSync(root)).toEqual(['store']);
});

test.each(['bash', 'zsh', 'fish'])('the completion of %s knows every command', async (name) => {
  const { stdout } = await tidemark('completion', name);
  const help = execFileSync(process.execPath, ['dist/src/cli/main.js', '--help'], {
    encoding: 'utf8',
  });
  const commands = [...help.matchAll(/^ {2}([a-z][\w-]+) {2}/gm)].map(
    ([, command]) => command as string,
  );
  expect(commands).toContain('repair-seals');
  for (const command of commands.filter((command) => command !== 'help'))
    expect(stdout).toMatch(new RegExp(`\\b${command}\\b`));
  expect(stdout).toContain('limit');
});

test('bash completes commands and their options', async () => {
  const script = (await tidemark('completion', 'bash')).stdout;
  const complete = (line: string) => {
    const call = `COMP_WORDS=(${line}); COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)); _tidemark`;
    const words = ['-c', `${script}${call}; echo "\${COMPREPLY[@]}"`];
    return execFileSync('bash', words, { encoding: 'utf8' }).trim();
  };
  expect(complete('tidemark repair')).toBe('repair-seals');
  expect(complete('tidemark scan --no')).toBe('--no-truncate');
});
