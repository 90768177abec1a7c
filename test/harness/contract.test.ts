import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { loadAdapterModule } from '../../harness/adapters/load-adapter.ts';
import {
  parseContract,
  parseHistory,
  parseSurvives,
  resolveContract,
} from '../../harness/contract.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const WITH_SYNC = { hasSync: true };

describe('a contract', () => {
  test('says what it assumes where nobody has said anything', () => {
    const { contract, assumed } = resolveContract([], WITH_SYNC);
    expect(contract).toMatchObject({ put: 'kill', sync: 'power', history: 'per-key' });
    expect(assumed).toHaveLength(3);
    expect(resolveContract([{ put: 'power', history: 'prefix' }], { hasSync: false })).toEqual({
      contract: {
        put: 'power',
        sync: undefined,
        history: 'prefix',
        ordered: false,
        concurrent: false,
      },
      assumed: [],
    });
  });

  test('is overridden field by field on the command line', () => {
    const declared = parseContract('x', { put: 'nothing', sync: 'kill', ordered: true });
    const { contract } = resolveContract(
      [declared, parseSurvives('put=power, sync=power'), parseHistory('prefix')],
      WITH_SYNC,
    );
    expect(contract).toMatchObject({ put: 'power', sync: 'power', history: 'prefix' });
    expect(contract.ordered).toBe(true);
  });

  test('that contradicts itself or the store is refused', () => {
    expect(() => resolveContract([{ put: 'power', sync: 'kill' }], WITH_SYNC)).toThrow(
      /sync covers every put/,
    );
    expect(() => resolveContract([{ sync: 'power' }], { hasSync: false })).toThrow(/no sync\(\)/);
  });

  test.each([
    ['a word', 'power'],
    ['an unknown field', { fsync: true }],
    ['a field of Object', { toString: 'x' }],
    ['an unknown value', { put: 'sync' }],
    ['a wrong type', { ordered: 'yes' }],
  ])('that is %s is refused with its field', (_, value) => {
    expect(() => parseContract('./x.mjs', value)).toThrow(/^\.\/x\.mjs: contract/);
  });

  test.each(['', 'put', 'put=power=x', 'get=power', 'put=kill,put=power', 'sync=nothing'])(
    '--survives %j is refused',
    (text) => {
      expect(() => parseSurvives(text)).toThrow(/--survives/);
    },
  );
});

test('an adapter exports its contract, and an installed package is found by its name', async () => {
  const directory = temporaryDirectory();
  const cwd = process.cwd();
  const packageDirectory = join(directory, 'node_modules', 'my-store');
  mkdirSync(packageDirectory, { recursive: true });
  writeFileSync(
    join(packageDirectory, 'package.json'),
    '{"name":"my-store","type":"module","exports":{".":{"import":"./open.js"}}}',
  );
  writeFileSync(
    join(packageDirectory, 'open.js'),
    'export const contract = { put: "power" }; export default async () => ({});',
  );
  try {
    process.chdir(directory);
    const { contract, open } = await loadAdapterModule('my-store');
    expect(contract).toEqual({ put: 'power' });
    await expect(open(directory)).rejects.toThrow(/no method get\(\)/);
    await expect(loadAdapterModule('constructor')).rejects.toThrow(/there is no adapter/);
  } finally {
    process.chdir(cwd);
  }
});
