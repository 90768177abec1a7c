// Puts the store in own-store.mjs under the soak: a workload from a seed in one process, an
// observer in another, and every key compared at the end. Needs the repository, and a build (`npm
// run build`).
//
//     node examples/soak-own-store.mjs [OUT_DIRECTORY]
import { spawnSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const out = process.argv[2] ?? mkdtempSync(join(tmpdir(), 'soak-own-'));
const soak = fileURLToPath(new URL('../dist/harness/soak/main.js', import.meta.url));
const adapter = fileURLToPath(new URL('./own-store.mjs', import.meta.url));
const words = ['--adapter', adapter, '--bytes', '2MB', '--seed', '1', '--out', out];
const { status } = spawnSync(process.execPath, [soak, ...words], { stdio: 'inherit' });
process.exitCode = status ?? 1;
