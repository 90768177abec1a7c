import { join, resolve } from 'node:path';
import { defineConfig } from 'vitest/config';

const ROOT = resolve(import.meta.dirname, '../..');
const ENGINE = join(ROOT, 'src', 'engine');
const mutated = process.env.TIDEMARK_MUTATED ?? ROOT;

/** Tests run against a compiled copy of the engine in which one place was changed. */
export default defineConfig({
  root: ROOT,
  plugins: [
    {
      name: 'mutated-engine',
      enforce: 'pre',
      resolveId(source, importer) {
        if (importer === undefined || !source.startsWith('.')) return undefined;
        const path = resolve(importer, '..', source);
        if (!path.startsWith(`${ENGINE}/`) || !path.endsWith('.ts')) return undefined;
        const compiled = path.slice(ROOT.length + 1).replace(/\.ts$/, '.js');
        return join(mutated, 'dist', compiled);
      },
    },
  ],
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    isolate: false,
    server: { deps: { inline: [/tidemark-mutated-/] } },
  },
});
