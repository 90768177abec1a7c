// A JSON file as many programs write it: a new file, and a rename. No sync, so a power cut may
// leave it empty, or older than what was printed.
import { mkdirSync, renameSync, writeFileSync, writeSync } from 'node:fs';

mkdirSync('data', { recursive: true });
for (let count = 1; count <= 4; count++) {
  writeFileSync('data/count.json.tmp', JSON.stringify({ count, pad: '.'.repeat(count) }));
  renameSync('data/count.json.tmp', 'data/count.json');
  // From here on somebody relies on it.
  writeSync(1, `${count}\n`);
}
