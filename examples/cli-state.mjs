// The state of a command-line tool: what it did last, and when. It is read without the lock, so
// that a second terminal is never told to wait.
//
// Stands on: putDurable for what the user asked to be kept, openReader for what is only shown,
// and STORE_LOCKED, which comes at once and names the process that has the store.
//
//     node examples/cli-state.mjs [DIRECTORY] [add TEXT | list]
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encoded, openReader, openStore } from 'tidemark';

const [directory = mkdtempSync(join(tmpdir(), 'notes-')), ...words] = process.argv.slice(2);

async function add(text) {
  try {
    const store = await openStore(directory);
    const number = store.size + 1;
    await encoded(store).putDurable(`note ${String(number).padStart(6, '0')}`, { text });
    await store.close();
    console.log(`kept as note ${number}`);
  } catch (error) {
    if (error.code !== 'STORE_LOCKED') throw error;
    console.log('another terminal is writing: try again in a moment');
    process.exitCode = 1;
  }
}

async function list() {
  const reader = await openReader(directory);
  const notes = [...encoded(reader).entries()].sort(([one], [other]) => (one < other ? -1 : 1));
  for (const [key, { text }] of notes) console.log(`${Number(key.slice(5))}  ${text}`);
  await reader.close();
}

const [command, ...rest] = words;
if (command === 'add') await add(rest.join(' '));
else if (command === 'list') await list();
else {
  await add('water the plants');
  await add('buy a stronger tide table');
  await list();
}
