import { createRequire } from 'node:module';
import { dirname } from 'node:path';

/**
 * npm runs a script of this package in the package's own directory, wherever whoever typed it
 * stands. Undefined when this process was not started so.
 */
function scriptOfThisPackage(): { readonly root: string; readonly from: string } | undefined {
  const { npm_package_json: packageFile, INIT_CWD: from } = process.env;
  const own = createRequire(import.meta.url).resolve('tidemark/package.json');
  return packageFile === own && from !== undefined ? { root: dirname(own), from } : undefined;
}

/** Relative paths of the command line are meant from where it was typed. */
export function enterInvokedDirectory(): void {
  const script = scriptOfThisPackage();
  if (script !== undefined) process.chdir(script.from);
}

/** The words in front of the options: what whoever runs it types again, in the same place. */
export function invokedAs(script: string): string {
  const { root, from } = scriptOfThisPackage() ?? {};
  const isAtRoot = root === undefined || root === from;
  return `npm ${isAtRoot ? '' : `--prefix ${quoteWord(root)} `}run ${script} --`;
}

/** A word as a shell takes it. */
export function quoteWord(word: string): string {
  return /^[\w./:=@,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
