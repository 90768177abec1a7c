// Gets the directory that a power cut left, and the lines that had been printed before it.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const path = join(process.argv[2], 'count.json');
const printed = Number(readFileSync(0, 'utf8').trim().split('\n').at(-1));
const count = existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')).count : 0;
if (count < printed) throw new Error(`${printed} was printed, and the file holds ${count}`);
