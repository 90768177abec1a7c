import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, relative } from 'node:path';
import { PACKAGE_ROOT } from '../package-root.ts';

/** A compiled file of the engine. */
export interface EngineFile {
  /** The name without folder and ending; no two have the same. */
  readonly name: string;
  /** The path from the root of the package. */
  readonly path: string;
  readonly text: string;
}

export function engineFiles(): EngineFile[] {
  const engine = join(PACKAGE_ROOT, 'dist', 'src', 'engine');
  return readdirSync(engine, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.js') && hasSource(path))
    .toSorted()
    .map((path) => {
      const whole = join(engine, path);
      const name = basename(path, '.js');
      return { name, path: relative(PACKAGE_ROOT, whole), text: readFileSync(whole, 'utf8') };
    });
}

/** What other packages' code was built into is not the engine's. */
function hasSource(path: string): boolean {
  return existsSync(join(PACKAGE_ROOT, 'src', 'engine', path.replace(/\.js$/, '.ts')));
}

/** One copy of the compiled package for one mutant after the other. */
export class MutatedCopy {
  readonly directory = mkdtempSync(join(tmpdir(), 'tidemark-mutated-'));
  private changed: EngineFile | undefined;

  constructor() {
    const dist = join(this.directory, 'dist');
    mkdirSync(dist);
    for (const part of ['src', 'harness'])
      cpSync(join(PACKAGE_ROOT, 'dist', part), join(dist, part), {
        recursive: true,
        filter: (path) => !/\.(?:d\.ts|map)$/.test(path),
      });
    cpSync(join(PACKAGE_ROOT, 'package.json'), join(this.directory, 'package.json'));
    for (const name of ['node_modules', 'harness'])
      symlinkSync(join(PACKAGE_ROOT, name), join(this.directory, name));
  }

  /** This file reads so, and every other one as it was compiled. */
  become(file: EngineFile, text: string): void {
    if (this.changed !== undefined) this.write(this.changed, this.changed.text);
    this.changed = file;
    this.write(file, text);
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }

  private write({ path }: EngineFile, text: string): void {
    writeFileSync(join(this.directory, path), text);
  }
}
