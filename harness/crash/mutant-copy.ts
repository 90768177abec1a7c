import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { applyEdit, type Edit } from './mutants.ts';

/** Where the package lies that this is part of. */
function packageDirectory(): string {
  return dirname(createRequire(import.meta.url).resolve('tidemark/package.json'));
}

/** A compiled engine file, from which mutants are made. */
export function engineFile(name: string): string {
  return readFileSync(join(packageDirectory(), 'dist', 'src', 'engine', `${name}.js`), 'utf8');
}

/** A runnable copy of the compiled package with some of its engine files changed. */
export class MutantCopy {
  readonly directory = mkdtempSync(join(tmpdir(), 'tidemark-mutant-'));

  /** Throws when an edit does not find its place; nothing is left behind then. */
  constructor(edits: readonly Edit[]) {
    try {
      const root = packageDirectory();
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
        const path = join(dist, 'src', 'engine', `${edit.file}.js`);
        writeFileSync(path, applyEdit(readFileSync(path, 'utf8'), edit));
      }
    } catch (error) {
      this.remove();
      throw error;
    }
  }

  /** The program that runs checks in this copy. */
  get program(): string {
    return join(this.directory, 'dist', 'harness', 'crash', 'mutant-child.js');
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}
