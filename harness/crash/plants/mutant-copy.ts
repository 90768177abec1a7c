import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { PACKAGE_ROOT } from '../../package-root.ts';
import { applyEdit, type Edit } from './mutant.ts';

/** Where a compiled engine file lies, in whichever folder: no two have the same name. */
function enginePath(dist: string, name: string): string {
  const engine = join(dist, 'src', 'engine');
  const paths = readdirSync(engine, { recursive: true, encoding: 'utf8' });
  const found = paths.filter((path) => basename(path) === `${name}.js`);
  if (found.length !== 1)
    throw new Error(`${found.length} files of the engine are called ${name}, and not one`);
  return join(engine, found[0] as string);
}

/** A compiled engine file, from which mutants are made. */
export function engineFile(name: string): string {
  return readFileSync(enginePath(join(PACKAGE_ROOT, 'dist'), name), 'utf8');
}

/** A runnable copy of the compiled package with some of its engine files changed. */
export class MutantCopy {
  readonly directory = mkdtempSync(join(tmpdir(), 'tidemark-mutant-'));

  /** Throws when an edit does not find its place; nothing is left behind then. */
  constructor(edits: readonly Edit[]) {
    try {
      const root = PACKAGE_ROOT;
      const dist = join(this.directory, 'dist');
      for (const part of ['src', 'harness']) {
        mkdirSync(dist, { recursive: true });
        cpSync(join(root, 'dist', part), join(dist, part), {
          recursive: true,
          filter: (path) => !/\.(?:d\.ts|map)$/.test(path),
        });
      }
      cpSync(join(root, 'package.json'), join(this.directory, 'package.json'));
      // What it imports from packages, and the corpus, which lies with the sources.
      for (const name of ['node_modules', 'harness'])
        symlinkSync(join(root, name), join(this.directory, name));
      for (const edit of edits) {
        const path = enginePath(dist, edit.file);
        writeFileSync(path, applyEdit(readFileSync(path, 'utf8'), edit));
      }
    } catch (error) {
      this.remove();
      throw error;
    }
  }

  /** The program that runs checks in this copy. */
  get program(): string {
    return join(this.directory, 'dist', 'harness', 'crash', 'plants', 'mutant-child.js');
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}
