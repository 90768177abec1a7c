import { openStore, StoreError } from '../../src/engine/index.ts';
import { MemoryFileSystem } from '../file-systems/memory-file-system.ts';
import { mutateBytes, pick } from './byte-mutation.ts';
import { type FuzzTarget, Mishandled, onlyPart } from './fuzz-target.ts';

const LINES = [
  '{"key_b64":"a2V5","value_b64":"dmFsdWU="}',
  '{"key_b64":"","value_b64":""}',
  '{"value_b64":"AA==","key_b64":"AQ==","more":[1,{"x":null}]}',
  '{"key_b64":"a2V5","key_b64":"b3RoZXI=","value_b64":"dg=="}',
  '{"__proto__":{"key_b64":"a2V5"},"value_b64":"dg=="}',
  `{"key_b64":"${'A'.repeat(400)}","value_b64":"${'/'.repeat(400)}"}`,
  'null',
  '[]',
  `${'['.repeat(2000)}${']'.repeat(2000)}`,
  '"\\ud800"',
  '\ufeff{}',
  '',
  ' \t\r',
];

/** JSONL of any bytes: imported whole, or refused by line with nothing changed. */
export const importTarget: FuzzTarget = {
  name: 'import',
  weight: 8,
  make(prng) {
    const lines = Array.from({ length: 1 + prng.below(6) }, () =>
      pick(prng, LINES.slice(0, 1 + prng.below(LINES.length))),
    );
    let bytes: Buffer = Buffer.from(`${lines.join('\n')}${prng.below(2) === 0 ? '\n' : ''}`);
    for (let changes = prng.below(4); changes > 0; changes--)
      bytes = mutateBytes(prng, bytes, Buffer.from(pick(prng, LINES)));
    return new Map([['rows.jsonl', bytes]]);
  },
  async check(input) {
    const bytes = onlyPart(input);
    const fileSystem = new MemoryFileSystem();
    fileSystem.shareFile('/rows.jsonl', bytes);
    const store = await openStore('/store', { fileSystem });
    try {
      const count = await store.importJsonl('/rows.jsonl');
      const rows = bytes
        .toString('utf8')
        .split('\n')
        .filter((line) => line.trim() !== '').length;
      if (count !== rows) throw new Mishandled(`${count} rows imported of ${rows}`);
    } catch (error) {
      if (!(error instanceof StoreError) || error.code !== 'IMPORT_MALFORMED') throw error;
      if (store.size > 0) throw new Mishandled('a malformed file changed the store');
    } finally {
      await store.close();
    }
    if (fileSystem.openDescriptorCount > 0) throw new Mishandled('descriptors are left open');
  },
};
