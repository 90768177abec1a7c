import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Where the compiled files lie that this is one of. */
const BUILD = fileURLToPath(new URL('../../', import.meta.url));

/** SHA-256 over every program file of the store and the harness, by path and content. */
export function buildDigest(): string {
  const hash = createHash('sha256');
  for (const path of programFiles()) {
    hash.update(`${relative(BUILD, path).split(sep).join('/')}\0`);
    hash.update(createHash('sha256').update(readFileSync(path)).digest());
  }
  return hash.digest('hex');
}

function programFiles(): string[] {
  return ['src', 'harness']
    .flatMap((folder) =>
      readdirSync(join(BUILD, folder), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile() && /\.m?js$/.test(entry.name))
        .map((entry) => join(entry.parentPath, entry.name)),
    )
    .sort();
}

export const NODE_MAJOR = Number(process.versions.node.split('.')[0]);
