import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * The directory of the package that this file belongs to: the repository in a clone, otherwise an
 * installed `tidemark-harness`. Compiled code lies in its `dist/harness`, and what is shipped as it
 * stands lies in its `harness`.
 */
export const PACKAGE_ROOT = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? '..' : '../..', import.meta.url),
);

/** True in a clone of the repository: it has npm scripts where the package has binaries. */
export const IS_CLONE =
  (JSON.parse(readFileSync(join(PACKAGE_ROOT, 'package.json'), 'utf8')) as { name: string })
    .name === 'tidemark';

/** A program of the compiled harness, which runs whether this file is compiled or not. */
export function compiledProgram(name: string): string {
  return join(PACKAGE_ROOT, 'dist', 'harness', name);
}

/** A file that is shipped as it stands in the repository's `harness`. */
export function shippedFile(name: string): string {
  return join(PACKAGE_ROOT, 'harness', name);
}
