import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { UsageError } from '../measuring/bench-directory.ts';

/** Exact, so that two runs compare the same. */
const VERSIONS = { lmdb: '3.5.6', 'classic-level': '3.0.0', 'better-sqlite3': '12.11.1' } as const;
export type PeerPackage = keyof typeof VERSIONS;

/**
 * Installs the peers in a directory of their own, unless they are there: none is a dependency of
 * this project.
 */
export async function installPeers(
  directory: string,
  progress: (line: string) => void,
): Promise<void> {
  const missing = Object.entries(VERSIONS).filter(
    ([name, version]) => installedVersion(directory, name) !== version,
  );
  if (missing.length === 0) return;
  const packages = missing.map(([name, version]) => `${name}@${version}`);
  progress(
    `installing ${packages.join(', ')} in ${directory}; those without a prebuilt half are compiled`,
  );
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'package.json'), `${JSON.stringify({ private: true })}\n`);
  try {
    await promisify(execFile)(
      'npm',
      ['install', '--no-audit', '--no-fund', '--save-exact', ...packages],
      {
        cwd: directory,
      },
    );
  } catch (error) {
    throw new UsageError(`cannot install the peers: ${(error as Error).message}`);
  }
}

/** A package that `installPeers` has installed, and its version. */
export async function loadPeer<T>(
  directory: string,
  name: PeerPackage,
): Promise<{ readonly module: T; readonly version: string }> {
  const require = createRequire(pathToFileURL(join(resolve(directory), 'package.json')));
  const module = (await import(pathToFileURL(require.resolve(name)).href)) as T;
  return { module, version: installedVersion(directory, name) as string };
}

function installedVersion(directory: string, name: string): string | undefined {
  try {
    const manifest = readFileSync(join(directory, 'node_modules', name, 'package.json'), 'utf8');
    return (JSON.parse(manifest) as { version: string }).version;
  } catch {
    return undefined;
  }
}
