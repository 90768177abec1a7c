// Gathers what the package ships out of the compiled repository: the entries, every module that
// they reach, and the programs that these start. Only the public faces of tidemark are reached
// outside of harness/; they become imports of the package. Needs a build in ../../dist.
//
//     node packages/harness/build.mjs
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const HERE = fileURLToPath(new URL('./', import.meta.url));
const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const BUILT = join(ROOT, 'dist');

const ENTRIES = ['harness/index', 'harness/soak/main', 'harness/crash/any-store-main'];
/** What is shipped as it stands in the repository; see harness/package-root.ts. */
const AS_IT_STANDS = ['harness/soak/profiles', 'harness/crash/plants/small-store'];
/** What the report page is made of, beside the code that reads it. */
const PAGE = 'harness/soak/report/page';
const FACES = {
  'src/engine/index': 'tidemark',
  'src/telemetry/otel': 'tidemark/otel',
  'src/telemetry/prometheus': 'tidemark/prometheus',
};

const SPECIFIER = /(\bfrom |\bimport |\bimport\()(['"])(\.[^'"]+)\2/g;
const PROGRAM = /compiledProgram\('([^']+)\.js'\)/g;
const BESIDE = /new URL\('(\.[^']+)\.js', import\.meta\.url\)/g;

for (const name of ['dist', 'harness']) rmSync(join(HERE, name), { recursive: true, force: true });
if (!existsSync(join(BUILT, 'harness/index.js')))
  throw new Error('there is nothing in dist/: run npm run build first');
gather(ENTRIES, '.js');
gather(['harness/index'], '.d.ts');
for (const name of AS_IT_STANDS) cpSync(join(ROOT, name), join(HERE, name), { recursive: true });
for (const name of ['page.js', 'page.css', 'charts.css'])
  cpSync(join(BUILT, PAGE, name), join(HERE, 'dist', PAGE, name));
cpSync(join(ROOT, 'LICENSE'), join(HERE, 'LICENSE'));

/** Writes the modules and all that they reach, with imports of the public faces by name. */
function gather(entries, ending) {
  const found = new Set();
  const visit = (module) => {
    if (found.has(module)) return;
    found.add(module);
    const text = readFileSync(join(BUILT, module + ending), 'utf8');
    const rewritten = text
      .replace(SPECIFIER, (statement, words, quote, specifier) => {
        const target = resolve(module, specifier);
        const face = FACES[target];
        if (face !== undefined) return `${words}${quote}${face}${quote}`;
        if (!target.startsWith('harness/'))
          throw new Error(`${module}${ending} reaches ${target}, which no stranger can import`);
        visit(target);
        return statement;
      })
      .replace(/\n\/\/# sourceMappingURL=.*\n?$/, '\n');
    if (ending === '.js') {
      for (const [, program] of text.matchAll(PROGRAM)) visit(`harness/${program}`);
      for (const [, beside] of text.matchAll(BESIDE)) visit(resolve(module, beside));
    }
    const path = join(HERE, 'dist', module + ending);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, rewritten);
  };
  entries.forEach(visit);
}

function resolve(module, specifier) {
  const path = join(BUILT, dirname(module), specifier.replace(/(?:\.d)?\.[jt]s$/, ''));
  return relative(BUILT, path);
}
