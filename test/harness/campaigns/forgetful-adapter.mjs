import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * A store that keeps in memory what it acknowledged, and writes it down only when it is asked to
 * sync or to close.
 */
export default async function open(directory) {
  const path = join(directory, 'pairs.json');
  const pairs = new Map(existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : []);
  const save = () => writeFileSync(path, JSON.stringify([...pairs]));
  const text = (bytes) => Buffer.from(bytes).toString('latin1');
  return {
    get: (key) => (pairs.has(text(key)) ? Buffer.from(pairs.get(text(key)), 'latin1') : undefined),
    put: (key, value) => void pairs.set(text(key), text(value)),
    delete: (key) => pairs.delete(text(key)),
    sync: save,
    *entries() {
      for (const [key, value] of pairs)
        yield [Buffer.from(key, 'latin1'), Buffer.from(value, 'latin1')];
    },
    close: save,
  };
}
