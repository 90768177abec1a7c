// An adapter: what the harness asks of a store that it is pointed at. This one is a Map that writes
// itself into one file, and knows nothing of crashes between two syncs.
//
//     npm run soak -- --adapter ./examples/own-store.mjs --bytes 2MB
import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';

/** Opens the store in `directory`, which exists. */
export default async function open(directory) {
  const path = join(directory, 'map.json');
  const rows = existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : [];
  const map = new Map(rows.map(([key, value]) => [key, Buffer.from(value, 'base64')]));
  const text = (key) => Buffer.from(key).toString('base64');

  function save() {
    const temporary = `${path}.tmp`;
    const descriptor = openSync(temporary, 'w');
    writeSync(
      descriptor,
      JSON.stringify([...map].map(([key, value]) => [key, value.toString('base64')])),
    );
    fsyncSync(descriptor);
    closeSync(descriptor);
    renameSync(temporary, path);
  }

  return {
    get: (key) => map.get(text(key)),
    put: (key, value) => void map.set(text(key), Buffer.from(value)),
    delete: (key) => map.delete(text(key)),
    sync: save,
    *entries() {
      for (const [key, value] of map) yield [Buffer.from(key, 'base64'), value];
    },
    close: save,
  };
}
