import { lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Everything under a path, name by name, to compare before and after: the bytes of files, null for
 * directories.
 */
export function directoryBytes(root: string): Map<string, string | null> {
  const found = new Map<string, string | null>();
  const visit = (path: string, name: string) => {
    if (!lstatSync(path).isDirectory()) {
      found.set(name, readFileSync(path).toString('latin1'));
      return;
    }
    found.set(name, null);
    for (const child of readdirSync(path).sort()) visit(join(path, child), `${name}/${child}`);
  };
  visit(root, '');
  return found;
}
