import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const ROOT = resolve('.');
const INSTALLED = join(ROOT, 'node_modules');

interface Manifest {
  readonly version: string;
  readonly dependencies?: Readonly<Record<string, string>>;
}

function manifestOf(folder: string): Manifest {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;
}

/** Packs the package as npm would publish it; returns the path of the tarball in `directory`. */
export function pack(directory: string): string {
  const output = execFileSync(
    'npm',
    ['pack', '--silent', '--ignore-scripts', '--pack-destination', directory],
    {
      encoding: 'utf8',
    },
  );
  return join(directory, output.trim().split('\n').at(-1) as string);
}

export interface ProjectOptions {
  readonly peers: readonly string[];
  /**
   * True after an install whose scripts were allowed to run and succeeded, as far as they did here.
   */
  readonly builtAddons: boolean;
}

/**
 * A project with the tarball installed and nothing of this repository in reach. What it depends on
 * is copied from here, so that no registry is asked; `npm install` itself is run by
 * install-check.mjs.
 */
export function installPacked(
  tarball: string,
  project: string,
  { peers, builtAddons }: ProjectOptions,
): void {
  const folder = join(project, 'node_modules', 'tidemark');
  mkdirSync(folder, { recursive: true });
  execFileSync('tar', ['-xzf', tarball, '-C', folder, '--strip-components=1']);
  writeFileSync(
    join(project, 'package.json'),
    '{"name":"user-project","private":true,"type":"module"}',
  );
  const wanted = [...Object.keys(manifestOf(folder).dependencies ?? {}), ...peers];
  for (const name of closure(wanted)) {
    const target = join(project, 'node_modules', name);
    const build = join(INSTALLED, name, 'build');
    cpSync(join(INSTALLED, name), target, {
      recursive: true,
      filter: (source) => builtAddons || !source.startsWith(build),
    });
  }
}

function closure(names: readonly string[]): ReadonlySet<string> {
  const found = new Set<string>();
  const visit = (name: string) => {
    const folder = join(INSTALLED, name);
    // What stands in no folder of its own is nested in its dependent's, and copied with it.
    if (found.has(name) || !existsSync(folder)) return;
    found.add(name);
    for (const dependency of Object.keys(manifestOf(folder).dependencies ?? {})) visit(dependency);
    // Prebuilt parts of other platforms are optional, and absent.
    if (name === '@node-rs/crc32') {
      for (const binding of readdirSync(join(INSTALLED, '@node-rs'))) visit(`@node-rs/${binding}`);
    }
  };
  names.forEach(visit);
  return found;
}
