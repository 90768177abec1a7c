// The same done right: the bytes are synced before the rename, and the name after it.
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  renameSync,
  writeFileSync,
  writeSync,
} from 'node:fs';

mkdirSync('data', { recursive: true });
for (let count = 1; count <= 4; count++) {
  const text = JSON.stringify({ count, pad: '.'.repeat(count) });
  writeFileSync('data/count.json.tmp', text, { flush: true });
  renameSync('data/count.json.tmp', 'data/count.json');
  const directory = openSync('data', 'r');
  fsyncSync(directory);
  closeSync(directory);
  writeSync(1, `${count}\n`);
}
