import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { AdapterError } from './adapter-error.ts';

/**
 * A package that only its adapter needs, and that is installed when somebody wants it: beside the
 * working directory, or else beside this one. Throws `AdapterError`.
 */
export async function installedPackage<T>(name: string): Promise<T> {
  try {
    const theirs = resolveInstalled(name);
    return (await import(theirs === undefined ? name : pathToFileURL(theirs).href)) as T;
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new AdapterError(
      `the adapter ${name} needs the package of that name: npm install --no-save ${name}`,
      { cause: error },
    );
  }
}

/** The entry of a package in the node_modules of the working directory or above it. */
export function resolveInstalled(name: string): string | undefined {
  const require = createRequire(join(process.cwd(), 'adapter.js'));
  try {
    return require.resolve(name);
  } catch (error) {
    // It has an entry for `import` only, which `require` cannot resolve.
    if ((error as { code?: unknown }).code !== 'ERR_PACKAGE_PATH_NOT_EXPORTED') return undefined;
    return importEntry(name, require.resolve.paths(name) ?? []);
  }
}

function importEntry(name: string, parents: readonly string[]): string | undefined {
  for (const parent of parents) {
    let text: string;
    try {
      text = readFileSync(join(parent, name, 'package.json'), 'utf8');
    } catch {
      continue;
    }
    const entry = importTarget((JSON.parse(text) as { exports?: unknown }).exports);
    return entry === undefined ? undefined : join(parent, name, entry);
  }
  return undefined;
}

/** What `exports` gives an import of the package itself, by the conditions of Node. */
function importTarget(exports: unknown): string | undefined {
  if (typeof exports === 'string') return exports;
  if (typeof exports !== 'object' || exports === null) return undefined;
  for (const [condition, target] of Object.entries(exports)) {
    if (!['.', 'node', 'import', 'module-sync', 'default'].includes(condition)) continue;
    const found = importTarget(target);
    if (found !== undefined) return found;
  }
  return undefined;
}
