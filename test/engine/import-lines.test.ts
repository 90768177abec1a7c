import { describe, expect, test } from 'vitest';
import { MemoryFileSystem } from '../../harness/file-systems/memory-file-system.ts';
import { openStore } from '../../src/engine/index.ts';

const ROW = '{"key_b64":"YQ==","value_b64":"dg=="}';

async function imported(text: string): Promise<string> {
  const fileSystem = new MemoryFileSystem();
  fileSystem.shareFile('/rows.jsonl', Buffer.from(text));
  const store = await openStore('/store', { fileSystem });
  const outcome = await store.importJsonl('/rows.jsonl').then(
    (count) => `${count}: ${[...store.entries()].map((pair) => pair.map(String).join('=')).sort()}`,
    (error: Error) => error.message,
  );
  if (outcome.startsWith('IMPORT_MALFORMED')) expect(store.size).toBe(0);
  await store.close();
  return outcome;
}

describe('what a line of an import may be', () => {
  test.each([
    ['a byte-order mark in front', `\ufeff${ROW}\n`, '1: a=v'],
    ['a byte-order mark and nothing else', '\ufeff', '0: '],
    [
      'the fields the other way round, and spaces',
      '{ "value_b64" : "dg==", "key_b64" : "YQ==" }',
      '1: a=v',
    ],
    [
      'two lines with one key, of which the later counts',
      `${ROW}\n{"key_b64":"YQ==","value_b64":"dw=="}`,
      '2: a=w',
    ],
  ])('%s', async (_what, text, expected) => {
    expect(await imported(text)).toBe(expected);
  });

  test.each([
    ['a byte-order mark further down', `${ROW}\n\ufeff${ROW}`, 'line 2 of /rows.jsonl is not JSON'],
    ['another field', '{"key_b64":"YQ==","value_b64":"dg==","ttl":5}', 'has another field, "ttl"'],
    [
      'a field that is called __proto__',
      '{"key_b64":"YQ==","value_b64":"dg==","__proto__":1}',
      'has another field, "__proto__"',
    ],
    ['a key twice', '{"key_b64":"Yg==","key_b64":"YQ==","value_b64":"dg=="}', 'has a field twice'],
    [
      'a value twice, once in other letters',
      '{"key_b64":"YQ==","value_b64":"dg==","value\\u005fb64":"dg=="}',
      'has a field twice',
    ],
    [
      'a value twice, of which one is none',
      '{"key_b64":"YQ==","value_b64":{"a":"\\""},"value_b64":"dg=="}',
      'has a field twice',
    ],
  ])('%s is refused, and nothing is imported', async (_what, text, expected) => {
    expect(await imported(text)).toContain(expected);
  });
});
