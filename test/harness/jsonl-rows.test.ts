import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { InputError, JsonlRows } from '../../harness/jsonl-rows.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const keyValues = fc.record({
  key: fc.oneof(fc.string({ unit: 'grapheme' }), fc.integer()),
  text: fc.string(),
});

describe('with a key field', () => {
  test('every line is the value of its key, the last of a key in front', async () => {
    const path = join(temporaryDirectory(), 'rows.jsonl');
    await fc.assert(
      fc.asyncProperty(
        fc.array(keyValues, { minLength: 1, maxLength: 50 }),
        fc.boolean(),
        async (rows, newline) => {
          const lines = rows.map((row) => JSON.stringify(row));
          writeFileSync(path, lines.join('\n') + (newline ? '\n' : ''));
          const loaded = await JsonlRows.load(path, 'key');
          try {
            expect(loaded.rowCount).toBe(rows.length);
            expect(loaded.keyCount).toBe(new Set(rows.map(({ key }) => String(key))).size);
            for (const [row, line] of lines.entries()) {
              const keyNumber = loaded.keyNumberOfRow(row);
              const key = Buffer.from(String(rows[row]?.key));
              expect(loaded.keyOf(keyNumber).equals(key)).toBe(true);
              expect(loaded.numberOf(key)).toBe(keyNumber);
              expect(loaded.valueOf(keyNumber, row + 1).toString()).toBe(line);
              expect(loaded.differenceFrom(keyNumber, row + 1, Buffer.from(line))).toBeUndefined();
              expect(
                loaded.differenceFrom(keyNumber, row + 1, Buffer.from(`${line} `)),
              ).toBeDefined();
            }
          } finally {
            loaded.close();
          }
        },
      ),
      { numRuns: 50 },
    );
  });

  test('lines of all sizes come back in any order, also across the windows that are read at once', async () => {
    const path = join(temporaryDirectory(), 'rows.jsonl');
    const lines = Array.from({ length: 400 }, (_, id) =>
      JSON.stringify({ id, text: 'x'.repeat(id % 100 === 99 ? 300_000 : (id * 37) % 5000) }),
    );
    writeFileSync(path, lines.join('\n'));
    const loaded = await JsonlRows.load(path, 'id');
    try {
      const check = (row: number) =>
        expect(loaded.valueOf(row, row + 1).toString()).toBe(lines[row]);
      for (let row = 0; row < lines.length; row++) {
        check(row);
        if (row % 3 === 0) check((row * 7919) % lines.length);
      }
    } finally {
      loaded.close();
    }
  });
});

test('the base64 form gives the decoded bytes, whatever they are', async () => {
  const path = join(temporaryDirectory(), 'rows.jsonl');
  await fc.assert(
    fc.asyncProperty(fc.uint8Array(), fc.uint8Array(), async (key, payload) => {
      const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');
      writeFileSync(path, JSON.stringify({ key: base64(key), payload: base64(payload) }));
      const loaded = await JsonlRows.load(path);
      try {
        expect(loaded.keyOf(0).equals(key)).toBe(true);
        expect(loaded.valueOf(0, 1).equals(payload)).toBe(true);
      } finally {
        loaded.close();
      }
    }),
    { numRuns: 50 },
  );
});

describe('the first line that cannot be used is named', () => {
  const good = { named: '{"id":"a"}', base64: '{"key":"YQ==","payload":""}' };

  test.each<[keyof typeof good, string, RegExp]>([
    ['named', '{"id":', /not JSON/],
    ['named', '', /the line is empty/],
    ['named', '[1]', /not a JSON object/],
    ['named', 'null', /not a JSON object/],
    ['named', '{"other":"a"}', /no field "id"/],
    ['named', '{"id":null}', /no field "id"/],
    ['named', '{"id":"\u00ff"}', /not JSON in UTF-8/],
    ['base64', '{"payload":""}', /no base64 string "key"/],
    ['base64', '{"key":"YQ=="}', /no base64 string "payload"/],
    ['base64', '{"key":"YQ","payload":""}', /no base64 string "key"/],
    ['base64', '{"key":"YQ==","payload":"%%"}', /no base64 string "payload"/],
  ])('%s form: %s', async (form, bad, message) => {
    const path = join(temporaryDirectory(), 'rows.jsonl');
    const keyField = form === 'named' ? 'id' : undefined;
    for (const before of [0, 1, 3]) {
      // latin1, so that \u00ff becomes a byte that is no UTF-8.
      writeFileSync(
        path,
        [...Array(before).fill(good[form]), bad, good[form]].join('\n'),
        'latin1',
      );
      const loading = JsonlRows.load(path, keyField);
      await expect(loading).rejects.toBeInstanceOf(InputError);
      await expect(loading).rejects.toThrow(message);
      await expect(loading).rejects.toThrow(`rows.jsonl, line ${before + 1}: `);
    }
  });

  test('an empty or missing file', async () => {
    const path = join(temporaryDirectory(), 'rows.jsonl');
    await expect(JsonlRows.load(path, 'id')).rejects.toThrow(/cannot read .*rows\.jsonl/);
    writeFileSync(path, '');
    await expect(JsonlRows.load(path, 'id')).rejects.toThrow(/holds no lines/);
  });
});
