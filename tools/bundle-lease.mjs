// Makes one ES module of proper-lockfile and what it needs, beside the engine file that imports it,
// and lets that file import it. proper-lockfile is CommonJS: a bundler that makes an ES module of a
// user's program would leave its `require('path')` in, which then ends that program at its start.
// Nothing of it runs before the first lease is taken: a reader takes none. The licences of what is
// bundled stand on top.
//
//     node tools/bundle-lease.mjs     after every tsc: `npm run build` runs it
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { rolldown } from 'rolldown';
import { esmExternalRequirePlugin } from 'rolldown/plugins';

const FOLDER = 'dist/src/engine/host';
const PACKAGES = ['proper-lockfile', 'graceful-fs', 'retry', 'signal-exit'];
const BUILTINS = ['assert', 'constants', 'events', 'fs', 'path', 'stream', 'util'];

const licences = PACKAGES.map((name) => {
  const folder = join('node_modules', name);
  const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
  if (file === undefined) throw new Error(`${name} has no licence file: look at its package`);
  return `${name} ${version}\n\n${readFileSync(join(folder, file), 'utf8').trim()}`;
});

const bundle = await rolldown({
  input: 'node_modules/proper-lockfile/index.js',
  platform: 'node',
  plugins: [esmExternalRequirePlugin({ external: BUILTINS })],
});
const { output } = await bundle.generate({
  format: 'esm',
  banner: `/*!\n${licences.join('\n\n').replaceAll('*/', '* /')}\n*/`,
});
const [{ code }] = output;
if (/\brequire\(/.test(code.replace(/__toCommonJS|require_\w+\(/g, '')))
  throw new Error('the bundle of proper-lockfile still requires something at run time');
const EAGER = 'export default require_proper_lockfile();';
if (!code.includes(EAGER)) throw new Error('the bundle of proper-lockfile ends in another way');
const LAZY = 'export default { lock: (...words) => require_proper_lockfile().lock(...words) };';
writeFileSync(join(FOLDER, 'proper-lockfile.js'), code.replace(EAGER, LAZY));

const importer = join(FOLDER, 'node-file-system.js');
const text = readFileSync(importer, 'utf8');
const bundled = text.replace("from 'proper-lockfile'", "from './proper-lockfile.js'");
if (bundled === text) throw new Error(`${importer} imports no proper-lockfile`);
writeFileSync(importer, bundled);
