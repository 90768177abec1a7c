import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { intercept } from '../../harness/file-systems/intercepted.ts';
import {
  MAX_KEY_BYTES,
  NodeFileSystem,
  openLog,
  openReader,
  openStore,
  type Store,
  salvage,
} from '../../src/engine/index.ts';
import { directoryBytes } from '../support/directory-bytes.ts';
import { failureOf, rejectionOf } from '../support/rejection.ts';
import { StoreProcess } from '../support/store-process.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

/**
 * Directories and files that are not what a call needs: a typed error, and nothing changed on disk.
 */
describe('places', () => {
  async function expectRefused(
    open: () => Promise<unknown>,
    root: string,
    code: string,
  ): Promise<void> {
    const before = directoryBytes(root);
    const error = await failureOf(open);
    expect(error).toMatchObject({ name: 'StoreError', code });
    expect(String(error)).toContain(root);
    expect(directoryBytes(root)).toEqual(before);
  }

  test('a reader does not create what is missing', async () => {
    const root = temporaryDirectory();
    await expectRefused(() => openReader(join(root, 'none')), root, 'NOT_FOUND');
    await expectRefused(() => openReader(join(root, 'none', 'deeper')), root, 'NOT_FOUND');
    mkdirSync(join(root, 'empty'));
    await expectRefused(() => openReader(join(root, 'empty')), root, 'NOT_FOUND');
  });

  test('a reader finds no store among other files', async () => {
    const root = temporaryDirectory();
    writeFileSync(join(root, '1.dwal'), '');
    writeFileSync(join(root, '00000001.dwal.bak'), '');
    mkdirSync(join(root, '00000002.dwal'));
    await expectRefused(() => openReader(root), root, 'NOT_FOUND');
  });

  test('a path that is a file, or leads through one, is no directory', async () => {
    const root = temporaryDirectory();
    const file = join(root, 'file');
    writeFileSync(file, 'precious');
    for (const path of [file, join(file, 'store'), join(file, 'deeper', 'store')]) {
      await expectRefused(() => openStore(path), root, 'NOT_A_DIRECTORY');
      await expectRefused(() => openLog(path), root, 'NOT_A_DIRECTORY');
      await expectRefused(() => openReader(path), root, 'NOT_A_DIRECTORY');
    }
  });

  test.skipIf(!existsSync('/proc/self'))(
    'a place where nothing can be made is refused',
    async () => {
      // In a process of its own, because it must not hang either, as the test would: the file
      // system answers ENOENT to mkdir.
      const opener = await StoreProcess.start();
      expect(await rejectionOf(opener.open('/proc/tidemark/store'))).toMatchObject({
        name: 'StoreError',
      });
    },
  );

  test('directories where the store has its files give a typed error', async () => {
    for (const name of ['.lock', 'durable-mark']) {
      const root = temporaryDirectory();
      mkdirSync(join(root, name));
      const error = await failureOf(() => openStore(root));
      expect(error).toMatchObject({
        name: 'StoreError',
        code: 'IO_FAILED',
        path: expect.stringContaining(root),
      });
    }
  });
});

describe('without permission', () => {
  // Root may do everything: it takes somebody else to be refused, and root to become somebody else.
  beforeEach(({ skip }) => skip(process.getuid?.() !== 0, 'needs root, to become another user'));

  const NOBODY = 65534;

  /** A store of root's in a directory that everybody can reach, and a process of somebody else. */
  async function prepare(mode: number): Promise<{ directory: string; stranger: StoreProcess }> {
    const parent = temporaryDirectory();
    chmodSync(parent, 0o755);
    const directory = join(parent, 'store');
    const store = await openStore(directory);
    await store.putDurable('k', 'v');
    await store.close();
    for (const name of readdirSync(directory)) chmodSync(join(directory, name), 0o644);
    chmodSync(directory, mode);
    const stranger = await StoreProcess.start();
    await stranger.call('becomeUser', NOBODY);
    return { directory, stranger };
  }

  const denied = { name: 'StoreError', code: 'PERMISSION_DENIED' };

  test('a directory that may not be entered is refused to writer and reader', async () => {
    const { directory, stranger } = await prepare(0o700);
    const before = directoryBytes(directory);
    expect(await rejectionOf(stranger.open(directory))).toMatchObject(denied);
    expect(await rejectionOf(stranger.call('openReader', directory))).toMatchObject(denied);
    expect(await rejectionOf(stranger.open(join(directory, 'new')))).toMatchObject(denied);
    expect(directoryBytes(directory)).toEqual(before);
  });

  test('a directory that may only be read is refused to a writer, and a reader needs no more', async () => {
    const { directory, stranger } = await prepare(0o755);
    const before = directoryBytes(directory);
    expect(await rejectionOf(stranger.open(directory))).toMatchObject(denied);
    expect(await rejectionOf(stranger.open(join(directory, 'new')))).toMatchObject(denied);
    expect(await stranger.call('openReader', directory)).toBe(1);
    chmodSync(join(directory, '00000001.dwal'), 0o600);
    expect(await rejectionOf(stranger.call('openReader', directory))).toMatchObject(denied);
    expect(directoryBytes(directory)).toEqual(before);
  });

  test('a segment that may not be written is refused to a writer who may write beside it', async () => {
    const { directory, stranger } = await prepare(0o777);
    for (const name of readdirSync(directory)) chownSync(join(directory, name), NOBODY, NOBODY);
    chownSync(join(directory, '00000001.dwal'), 0, 0);
    const before = directoryBytes(directory).get('/00000001.dwal');
    expect(await rejectionOf(stranger.open(directory))).toMatchObject(denied);
    expect(directoryBytes(directory).get('/00000001.dwal')).toEqual(before);
    // Nothing is left in the way of somebody who may.
    const store = await openStore(directory);
    expect(store.size).toBe(1);
    await store.close();
  });
});

describe('files that come in and go out', () => {
  let directory: string;
  let store: Store;
  const at = (name: string) => join(directory, name);
  beforeEach(async () => {
    directory = temporaryDirectory();
    store = await openStore(at('store'));
    await store.putDurable('k', 'v');
    return () => store.close();
  });

  async function expectRefused(
    call: () => unknown,
    code: string,
    more: object = {},
  ): Promise<void> {
    const before = directoryBytes(directory);
    expect(await failureOf(call)).toMatchObject({ name: 'StoreError', code, ...more });
    expect(directoryBytes(directory)).toEqual(before);
    expect([...store.entries()].map(String)).toEqual(['k,v']);
  }

  const GOOD_LINE = '{"key_b64":"YQ==","value_b64":"Yg=="}';
  test.each([
    ['no JSON', 'key=value'],
    ['half a line', GOOD_LINE.slice(0, -3)],
    ['two values', `${GOOD_LINE}${GOOD_LINE}`],
    ['null', 'null'],
    ['an array', '[]'],
    ['a number', '7'],
    ['no key', '{"value_b64":"Yg=="}'],
    ['no value', '{"key_b64":"YQ=="}'],
    ['a key that is no string', '{"key_b64":7,"value_b64":"Yg=="}'],
    ['a value of null', '{"key_b64":"YQ==","value_b64":null}'],
    ['a key that is no base64', '{"key_b64":"!!","value_b64":"Yg=="}'],
    ['base64 without its padding', '{"key_b64":"YQ","value_b64":"Yg=="}'],
    ['base64 of the URL alphabet', '{"key_b64":"_w==","value_b64":"Yg=="}'],
    [
      'a key that is too long',
      `{"key_b64":"${Buffer.alloc(MAX_KEY_BYTES + 1).toString('base64')}","value_b64":""}`,
    ],
  ])('importing a line with %s writes nothing and names the line', async (_, line) => {
    for (const [before, after] of [
      [0, 0],
      [0, 2],
      [3, 0],
      [3, 2],
    ] as const) {
      const lines = [...Array(before).fill(GOOD_LINE), line, ...Array(after).fill(GOOD_LINE)];
      writeFileSync(at('in.jsonl'), lines.join('\n'));
      await expectRefused(() => store.importJsonl(at('in.jsonl')), 'IMPORT_MALFORMED', {
        line: before + 1,
        message: expect.stringContaining(`line ${before + 1} of ${at('in.jsonl')}`),
      });
    }
  });

  test('importing a file whose last line is malformed writes nothing, however large the file is', async () => {
    const large = `{"key_b64":"YQ==","value_b64":"${Buffer.alloc(2 ** 20).toString('base64')}"}`;
    writeFileSync(at('in.jsonl'), [...Array(9).fill(large), 'null'].join('\n'));
    await expectRefused(() => store.importJsonl(at('in.jsonl')), 'IMPORT_MALFORMED', { line: 10 });
  });

  test('importing a line longer than any record can be names the line', async () => {
    const endless = intercept(new NodeFileSystem(), ({ method, args, name, proceed }) => {
      if (method !== 'read' || name !== 'endless.jsonl') return proceed();
      const [, buffer, offset, length, position] = args as [number, Buffer, number, number, number];
      buffer.fill(0x20, offset, offset + length);
      if (position === 0) buffer[offset] = 0x0a;
      return length;
    });
    writeFileSync(at('endless.jsonl'), '');
    const other = await openStore(at('other'), { fileSystem: endless });
    const before = directoryBytes(directory);
    const failure = await failureOf(() => other.importJsonl(at('endless.jsonl')));
    expect(failure).toMatchObject({ name: 'StoreError', code: 'IMPORT_MALFORMED', line: 2 });
    expect(directoryBytes(directory)).toEqual(before);
    await other.close();
  });

  test('importing what is missing, or a directory, is a typed error', async () => {
    await expectRefused(() => store.importJsonl(at('none.jsonl')), 'NOT_FOUND');
    mkdirSync(at('in.jsonl'));
    await expectRefused(() => store.importJsonl(at('in.jsonl')), 'IO_FAILED');
  });

  test('importing empty lines and nothing imports nothing', async () => {
    writeFileSync(at('in.jsonl'), '\n\n  \n');
    expect(await store.importJsonl(at('in.jsonl'))).toBe(0);
    writeFileSync(at('in.jsonl'), '');
    expect(await store.importJsonl(at('in.jsonl'))).toBe(0);
  });

  test('compactTo refuses a target with something in it, a file, and its own store', async () => {
    mkdirSync(at('full'));
    writeFileSync(at('full/x'), '');
    writeFileSync(at('file'), '');
    for (const target of ['full', 'file', 'store']) {
      await expectRefused(() => store.compactTo(at(target)), 'TARGET_NOT_EMPTY');
    }
    await expectRefused(() => store.compactTo(at('file/under')), 'NOT_A_DIRECTORY');
    await expectRefused(() => salvage(at('store'), at('file/under')), 'NOT_A_DIRECTORY', {
      path: at('file/under'),
    });
  });

  test.each([
    ['compactTo', () => store.compactTo('/proc/target')],
    ['salvage', () => salvage(at('store'), '/proc/target')],
  ])('%s into a place where nothing can be made names it as it was given', async (_, call) => {
    await expectRefused(call, 'NOT_FOUND', {
      message: expect.stringMatching(/: \/proc\/target does not exist$/),
    });
  });

  test('exportJsonl into a missing directory, or over one, says what is wrong, and leaves nothing behind', async () => {
    const refused = async (target: string, code: string, message: string) => {
      await expectRefused(() => store.exportJsonl(target), code, {
        message: expect.stringMatching(new RegExp(`^${code}: cannot export: ${message}`)),
      });
    };
    await refused(at('none/out.jsonl'), 'NOT_FOUND', `${at('none')} does not exist`);
    writeFileSync(at('file'), '');
    await refused(at('file/out.jsonl'), 'NOT_A_DIRECTORY', `${at('file')} is not a directory`);
    mkdirSync(at('out.jsonl'));
    await refused(at('out.jsonl'), 'IO_FAILED', `${at('out.jsonl')} is a directory; name a file`);
  });

  test('exportJsonl takes the place of no file of its store', async () => {
    const segment = join(store.directory, '00000001.dwal');
    const before = readFileSync(segment);
    expect(await failureOf(() => store.exportJsonl(segment))).toMatchObject({
      code: 'IO_FAILED',
      message: expect.stringContaining(`${segment} lies in the directory of the store`),
    });
    expect(readFileSync(segment)).toEqual(before);
    expect(String(store.get('k'))).toBe('v');
  });

  test('exportJsonl takes the place of a file, and of nothing else', async () => {
    writeFileSync(at('file'), 'old');
    symlinkSync('file', at('link'));
    await expectRefused(() => store.exportJsonl(at('link')), 'PERMISSION_DENIED', {
      message: expect.stringContaining(`export: ${at('link')} is a symbolic link`),
    });
    execFileSync('mkfifo', [at('pipe')]);
    expect(await failureOf(() => store.exportJsonl(at('pipe')))).toMatchObject({
      code: 'IO_FAILED',
      message: expect.stringContaining(`${at('pipe')} is no plain file`),
    });
    expect(lstatSync(at('pipe')).isFIFO()).toBe(true);
    await store.exportJsonl(at('file'));
    expect(readFileSync(at('link'), 'utf8')).toBe('{"key_b64":"aw==","value_b64":"dg=="}\n');
  });
});
