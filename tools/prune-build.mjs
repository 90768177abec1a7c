// Removes from dist/ what no source file gives any more. tsc leaves the output of a file that was
// moved or removed, and the package and a mutant's copy would carry it on. Nothing that a running
// test may have in use goes away: it has a source, or is named here.
//
//     node tools/prune-build.mjs     after every tsc: `npm run build` runs it
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/** Made by another step of the build, without a source of that name. */
const BUILT_OTHERWISE = [join('src', 'engine', 'host', 'proper-lockfile')];

for (const path of readdirSync('dist', { recursive: true })) {
  const source = /^(.*?)\.(?:js|d\.ts)(?:\.map)?$/.exec(path)?.[1];
  if (source === undefined || existsSync(`${source}.ts`)) continue;
  if (!BUILT_OTHERWISE.includes(source)) rmSync(join('dist', path), { force: true });
}
