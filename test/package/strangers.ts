import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { delimiter, dirname, join, resolve } from 'node:path';

const FOLDER = resolve('tools', 'strangers');

export interface Said {
  readonly status: number | null;
  readonly output: string;
}

/** Installs runtimes, package managers and bundlers, unless the ones of the lock file are there. */
export function installStrangers(): void {
  const installed = join(FOLDER, 'node_modules', '.tidemark-lock');
  const lock = readFileSync(join(FOLDER, 'package-lock.json'), 'utf8');
  if (existsSync(installed) && readFileSync(installed, 'utf8') === lock) return;
  execFileSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: FOLDER,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  execFileSync('cp', ['package-lock.json', installed], { cwd: FOLDER });
}

/** The path of a program that a package of theirs brings along. */
export function strangerPath(name: string): string {
  return join(FOLDER, 'node_modules', '.bin', name);
}

/** The Node of this process, or of a package. */
export function nodePath(version: 'this' | '22' | '24'): string {
  return version === 'this'
    ? process.execPath
    : join(FOLDER, 'node_modules', `node-${version}`, 'bin', 'node');
}

/** Runs a program to its end, with `node` first on the path for whatever it starts. */
export function runIn(
  cwd: string,
  program: string,
  words: readonly string[],
  node: string = process.execPath,
): Said {
  // What npm and vitest tell their children, a package manager of a stranger does not hear.
  const env: NodeJS.ProcessEnv = {};
  for (const [name, value] of Object.entries(process.env)) {
    if (/^npm_(?:lifecycle|package|command|node_execpath|execpath)/i.test(name)) continue;
    if (/^(?:NODE_OPTIONS|VITEST.*|NO_COLOR|FORCE_COLOR)$/.test(name)) continue;
    env[name] = value;
  }
  env.PATH = `${dirname(node)}${delimiter}${process.env.PATH}`;
  const { status, stdout, stderr } = spawnSync(program, words, { cwd, encoding: 'utf8', env });
  return { status, output: `${stdout ?? ''}${stderr ?? ''}` };
}

interface StrangeRuntime {
  readonly program: string;
  readonly words: readonly string[];
  readonly version: string;
}

function pinned(name: string): string {
  const manifest = JSON.parse(readFileSync(join(FOLDER, 'package.json'), 'utf8'));
  return manifest.dependencies[name];
}

/** Their programs themselves: what npm links to is a script of Node that starts them. */
export const RUNTIMES: Readonly<Record<string, StrangeRuntime>> = {
  Bun: {
    program: join(FOLDER, 'node_modules', '@oven', 'bun-linux-x64', 'bin', 'bun'),
    words: ['--bun'],
    version: `Bun ${pinned('bun')}`,
  },
  Deno: {
    program: join(FOLDER, 'node_modules', '@deno', 'linux-x64-glibc', 'deno'),
    words: ['run', '--allow-all', '--node-modules-dir=manual'],
    version: `Deno ${pinned('deno')}`,
  },
};
