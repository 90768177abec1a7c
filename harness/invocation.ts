import { join, resolve } from 'node:path';
import { IS_CLONE, PACKAGE_ROOT } from './package-root.ts';

const ROOT = resolve(PACKAGE_ROOT);
/** Where this process began. */
const FIRST_DIRECTORY = process.cwd();

/**
 * npm runs a script of this package in the package's own directory; this is where whoever typed it
 * stands. Undefined when this process was not started so. Whatever npm starts inherits what it says
 * in the environment, so its directory and the name of the script count as well.
 */
function typedIn(script: string): string | undefined {
  const { npm_package_json: packageFile, npm_lifecycle_event: event, INIT_CWD: from } = process.env;
  const isScript = packageFile === join(ROOT, 'package.json') && event === script;
  return isScript && FIRST_DIRECTORY === ROOT ? from : undefined;
}

/** Relative paths of the command line are meant from where it was typed. */
export function enterInvokedDirectory(script: string): void {
  process.chdir(typedIn(script) ?? FIRST_DIRECTORY);
}

/**
 * The words in front of the options: what whoever runs it types again, in the same place. `script`
 * is the npm script of a clone; an installed package has a binary for it.
 */
export function invokedAs(script: string): string {
  if (!IS_CLONE) return `npx tidemark-${script}`;
  const isAtRoot = (typedIn(script) ?? ROOT) === ROOT;
  return `npm ${isAtRoot ? '' : `--prefix ${quoteWord(ROOT)} `}run ${script} --`;
}

/** A word as a shell takes it. */
export function quoteWord(word: string): string {
  return /^[\w./:=@,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
