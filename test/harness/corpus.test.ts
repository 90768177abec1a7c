import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { committedCorpus, FIXTURES, writeCorpus } from '../../harness/corpus/corpus.ts';
import { readFixture } from '../../harness/corpus/fixture-files.ts';
import { memoryCopy } from '../../harness/corpus/memory-copy.ts';
import { verifyCorpus } from '../../harness/corpus/verifier.ts';
import { openStore, StoreError } from '../../src/engine/index.ts';
import { DAMAGES, judgeDamage } from '../../src/engine/recovery/recovery-verdict.ts';

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tidemark-corpus-test-'));
});

afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

/** Bit by bit, from RFC 3720; shares nothing with the engine. */
function slowCrc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
  }
  return ~crc >>> 0;
}

/** A frame by the table of the wire format; shares nothing with the engine. */
function frame(type: number, txid: number, key: string, payload: string): Buffer {
  const header = Buffer.alloc(24);
  header.write('DWAL', 0, 'latin1');
  header.writeUInt16LE(1, 4);
  header.writeUInt8(type, 6);
  header.writeBigUInt64LE(BigInt(txid), 8);
  header.writeUInt32LE(key.length, 16);
  header.writeUInt32LE(payload.length, 20);
  const body = Buffer.concat([header, Buffer.from(key, 'latin1'), Buffer.from(payload, 'latin1')]);
  const crc = Buffer.alloc(4);
  crc.writeUInt32LE(slowCrc32c(body));
  return Buffer.concat([body, crc]);
}

const [RAW, PUT, DELETE] = [0, 1, 2];

/** What datawal's operations leave on disk, by file. */
function datawalBytes(): Record<string, Record<string, Buffer>> {
  const corrupted = frame(RAW, 2, '', 'this-will-be-corrupted');
  corrupted[29] = (corrupted[29] as number) ^ 0xff;
  const unknownVersion = frame(RAW, 1, '', 'first');
  unknownVersion.set([0xfe, 0xca], 4);
  const raw = (...payloads: string[]) =>
    Buffer.concat(payloads.map((payload, index) => frame(RAW, index + 1, '', payload)));
  return {
    valid_log: { '00000001.dwal': raw('alpha', 'beta', 'gamma') },
    truncated_tail: { '00000001.dwal': raw('one', 'two', 'three').subarray(0, -5) },
    bad_crc: {
      '00000001.dwal': raw('good'),
      '00000002.dwal': corrupted,
      '00000003.dwal': frame(RAW, 3, '', 'after'),
    },
    unknown_version: { '00000001.dwal': unknownVersion },
    delete_tombstone: {
      '00000001.dwal': Buffer.concat([
        frame(PUT, 1, 'alpha', '1'),
        frame(PUT, 2, 'beta', '2'),
        frame(PUT, 3, 'alpha', '3'),
        frame(DELETE, 4, 'beta', ''),
      ]),
    },
    compact_to_output: {
      '00000001.dwal': Buffer.concat([
        frame(PUT, 1, 'keep', 'final'),
        frame(PUT, 2, 'other', 'value'),
      ]),
    },
  };
}

describe('the independent encoder of this test', () => {
  test('its checksum gives the vectors of RFC 3720', () => {
    expect(slowCrc32c(Buffer.alloc(32))).toBe(0x8a9136aa);
    expect(slowCrc32c(Buffer.alloc(32, 0xff))).toBe(0x62a8ab43);
    expect(slowCrc32c(Buffer.from('123456789'))).toBe(0xe3069283);
  });
});

describe('the committed corpus', () => {
  test('is as the manifest and a fresh generation have it, and every fixture opens as expected', async () => {
    expect(await verifyCorpus(committedCorpus())).toEqual([]);
  });

  test('begins valid_log with the bytes that the format table gives', async () => {
    const files = await readFixture(join(committedCorpus(), 'datawal/valid_log'));
    const bytes = Buffer.from(files.get('00000001.dwal') as Uint8Array);
    const fields = {
      magic: '4457414c',
      version: '0100',
      type: '00',
      flags: '00',
      txid: '0100000000000000',
      keyLength: '00000000',
      payloadLength: '05000000',
      payload: '616c706861',
      crc: '59e778f6',
    };
    expect(bytes.subarray(0, 33).toString('hex')).toBe(Object.values(fields).join(''));
  });

  test('holds what datawal writes for the same operations, by an encoder of its own', async () => {
    for (const [name, expected] of Object.entries(datawalBytes())) {
      const files = await readFixture(join(committedCorpus(), 'datawal', name));
      const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
      const found = Object.fromEntries([...files].map(([file, bytes]) => [file, hex(bytes)]));
      const wanted = Object.fromEntries(
        Object.entries(expected).map(([file, bytes]) => [file, hex(bytes)]),
      );
      expect(found, name).toEqual(wanted);
    }
  });

  test('has a fixture for every kind of damage and for every row of the verdict table', async () => {
    const damages = new Set<string>();
    const said: string[] = [];
    for (const { name, expected } of FIXTURES) {
      const ranges = 'livePairs' in expected ? expected.discarded : [expected];
      for (const { damage } of ranges) damages.add(damage);
      said.push(await reasonOf(name));
    }
    expect(DAMAGES.filter((damage) => !damages.has(damage))).toEqual([]);
    const isSaid = (reason: string) => said.some((sentence) => sentence.includes(reason));
    expect([...allReasons()].filter((reason) => !isSaid(reason))).toEqual([]);
  });
});

/** What the engine says about the fixture: the reason of the table row that decided it. */
async function reasonOf(name: string): Promise<string> {
  const fileSystem = memoryCopy(await readFixture(join(committedCorpus(), name)), '/store');
  try {
    const store = await openStore('/store', { fileSystem });
    await store.close();
    return store.recoveryReport.discarded[0]?.because ?? '';
  } catch (error) {
    if (error instanceof StoreError) return error.message;
    throw error;
  }
}

function allReasons(): Set<string> {
  const reasons = new Set<string>();
  for (const damage of DAMAGES) {
    for (const position of ['durable', 'not-durable'] as const) {
      for (const witnessed of [true, false]) {
        for (const place of ['two-behind', 'not-last', 'last'] as const) {
          for (const laterFrames of ['none', 'inside-claim', 'after-claim'] as const) {
            reasons.add(judgeDamage({ damage, position, witnessed, place, laterFrames }).because);
          }
        }
      }
    }
  }
  return reasons;
}

describe('generating', () => {
  test('refuses a directory that is not empty, and leaves it as it was', async () => {
    await writeFile(join(directory, 'mine'), 'kept');
    const nothing = { manifest: { fixtures: {} }, fixtures: new Map() };
    await expect(writeCorpus(directory, nothing)).rejects.toThrow('is not empty');
    expect(await readFile(join(directory, 'mine'), 'utf8')).toBe('kept');
  });
});

describe('verifying', () => {
  test('names a changed byte, a missing file, a stray file and a changed manifest', async () => {
    await cp(committedCorpus(), directory, { recursive: true });
    const manifestPath = join(directory, 'manifest.json');
    const changed = join(directory, 'datawal/valid_log/00000001.dwal');
    const bytes = await readFile(changed);
    bytes[bytes.length - 1] = (bytes.at(-1) as number) ^ 1;
    await writeFile(changed, bytes);
    await rm(join(directory, 'own/closed_in_order/00000002.dwal'));
    await writeFile(join(directory, 'own/closed_in_order/stray'), '');
    const manifest = await readFile(manifestPath, 'utf8');
    await writeFile(manifestPath, manifest.replace('"recordsKept":4', '"recordsKept":5'));

    const problems = await verifyCorpus(directory);
    for (const expected of [
      'datawal/valid_log/00000001.dwal is not as in the manifest',
      'datawal/valid_log: openStore: found {"outcome":"recovered","recordsKept":2',
      'own/closed_in_order/00000002.dwal is missing',
      'own/closed_in_order: openStore: found {"outcome":"STORE_CORRUPT"',
      'own/closed_in_order/stray is not in the manifest',
      `datawal/delete_tombstone is in the manifest of ${directory} not as in the manifest`,
    ]) {
      expect(problems.filter((problem) => problem.startsWith(expected))).toHaveLength(1);
    }
  });
});
