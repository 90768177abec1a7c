import { readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

/** Imports run one way: section 2 of the design. */
const ROOT = fileURLToPath(new URL('../../', import.meta.url));
/** Holds imports that are only text. */
const THIS_FILE = relative(ROOT, fileURLToPath(import.meta.url));

/**
 * The engine from the top down. A file imports only files of tiers below its own, or leaves; type-only imports are no
 * exception. A new file gets a line here, and with it a place.
 */
const ENGINE_TIERS: readonly (readonly string[])[] = [
  ['index'],
  ['store', 'reader', 'salvage'],
  ['compactor'],
  ['merge'],
  ['merge-choice', 'compaction', 'import', 'key-value-view', 'verify', 'backup', 'follow', 'snapshot-tail'],
  ['export', 'backup-files', 'backup-target', 'live-places', 'reader-snapshot'],
  ['keydir', 'operation-channels'],
  ['keydir-replay'],
  ['keydir-shard', 'frame-inspection', 'read-runs'],
  ['record-log'],
  ['log-stats'],
  ['log-opening', 'log-writer', 'merge-publication', 'scrub-source'],
  ['log-sync', 'log-scans', 'segment-sealer', 'leftovers'],
  ['verify-segment'],
  [
    'repair',
    'store-directory',
    'log-options',
    'segment-records',
    'verify-pace',
    'verify-report',
    'lost-ranges',
  ],
  [
    'recovery',
    'merge-view',
    'quarantine',
    'segment-reader',
    'segment-writer',
    'group-commit',
    'poison-latch',
    'seal-witness',
  ],
  ['seal-builder'],
  ['recovery-refusal', 'seal-check', 'seal-hints'],
  ['seal-set', 'keydir-entry'],
  ['hint-block'],
  ['seal-file'],
  ['durable-mark', 'writer-lock', 'segment-scanner', 'tail-evidence', 'descriptor-pool', 'recovery-report'],
  [
    'slot-file',
    'backup-marker',
    'lock-decision',
    'recovery-verdict',
    'segment-list',
    'segment-files',
    'segment-usage',
    'key-hash',
  ],
  ['segment-name', 'bad-blocks', 'byte-range', 'counted-descriptor'],
  ['host-identity', 'frame'],
  ['format', 'crc32c'],
];

/** Any engine file may import these; they import only each other and `format`. */
const ENGINE_LEAVES = ['errors', 'file-system', 'probe', 'probe-set', 'bytes'];

/** The real file system, where a caller may leave the choice to us. */
const REAL_FILE_SYSTEM = 'node-file-system';
const REAL_FILE_SYSTEM_IMPORTERS = ['index', 'record-log', 'reader', 'salvage'];

/** Parts of Node that touch no disk; any engine file may import them. */
const HARMLESS = ['node:crypto', 'node:os', 'node:path', 'node:timers/promises'];

/** Everything else that the engine imports from outside, and where. Nothing of telemetry. */
const ENGINE_PACKAGES: Readonly<Record<string, readonly string[]>> = {
  'node:diagnostics_channel': ['operation-channels'],
  'node:fs': [REAL_FILE_SYSTEM],
  'node:module': [REAL_FILE_SYSTEM, 'crc32c'],
  '@node-rs/crc32': ['crc32c'],
  'fast-crc32c': ['crc32c'],
  'fs-native-extensions': [REAL_FILE_SYSTEM],
  'proper-lockfile': [REAL_FILE_SYSTEM],
};

/** An import or export statement at the beginning of a line: what it takes, and from where. */
const STATEMENT = /^(?:import|export)\s+(?:([\w\s{},*$]*?)\bfrom\s+)?['"]([^'"]+)['"]/gm;
const CALL = /\b(?:import|require|createRequire\([^)]*\))\(\s*['"]([^'"]+)['"]\s*\)/g;

/** What a file imports: files relative to the root and without their ending, packages as they are written. */
function parseImports(file: string, text: string): string[] {
  const statements = [...text.matchAll(STATEMENT)].map(([, , specifier = '']) => specifier);
  const calls = [...text.matchAll(CALL)].map(([, specifier = '']) => specifier);
  return [...statements, ...calls].map((specifier) =>
    specifier.startsWith('.') ? join(dirname(file), specifier).replace(/\.[cm]?[jt]s$/, '') : specifier,
  );
}

/** Every source file by its path without ending, with what it imports. */
function readSources(): Map<string, readonly string[]> {
  const sources = new Map<string, readonly string[]>();
  for (const folder of ['src', 'harness', 'bench', 'test']) {
    for (const entry of readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })) {
      const path = relative(ROOT, join(entry.parentPath, entry.name));
      if (!entry.isFile() || !path.endsWith('.ts') || path === THIS_FILE) continue;
      sources.set(path.replace(/\.ts$/, ''), parseImports(path, readFileSync(join(ROOT, path), 'utf8')));
    }
  }
  return sources;
}

const SOURCES = readSources();
const inside = (folder: string) => (path: string) => path.startsWith(`${folder}/`);
const isRelative = (target: string) => SOURCES.has(target);

/** Every import as `from -> to`, of the files and targets that are asked for. */
function edges(from: (path: string) => boolean, to: (target: string) => boolean): string[] {
  return [...SOURCES]
    .filter(([path]) => from(path))
    .flatMap(([path, imports]) => imports.filter(to).map((target) => `${path} -> ${target}`));
}

const ENGINE = 'src/engine/';
const isEngine = inside('src/engine');
const isTelemetry = inside('src/telemetry');
const engineName = (path: string) => path.slice(ENGINE.length);
const isBuiltin = (target: string) => builtinModules.includes(target.replace(/^node:/, ''));
/** `pkg` of `pkg/deep/file`, `@scope/pkg` of `@scope/pkg/file`. */
const packageOf = (target: string) =>
  isBuiltin(target)
    ? target
    : target
        .split('/')
        .slice(0, target.startsWith('@') ? 2 : 1)
        .join('/');

test('the parser of this test sees every form of import', () => {
  const text = [
    "import fs from 'node:fs';",
    "import type { A } from './a.ts';",
    "import { type B, type C } from './b.ts';",
    "import {\n  type D,\n  e,\n} from './d.ts';",
    "import * as f from './f.ts';",
    "import './g.ts';",
    "export type { H } from './h.ts';",
    "export { i } from './i.ts';",
    "export * from './j.ts';",
    "const k = await import('./k.ts');",
    "const l = require('left');",
    "const m = createRequire(import.meta.url)('middle');",
    "export const text = 'no import';",
    "export function n() {\n  return 'no import';\n}",
    "/** import x from 'nowhere'; */",
  ].join('\n');
  expect(parseImports('src/x/y.ts', text)).toEqual([
    'node:fs',
    'src/x/a',
    'src/x/b',
    'src/x/d',
    'src/x/f',
    'src/x/g',
    'src/x/h',
    'src/x/i',
    'src/x/j',
    'src/x/k',
    'left',
    'middle',
  ]);
});

test('every relative import leads to a file, so that none escapes these rules', () => {
  const lost = edges(
    () => true,
    (target) => /^(?:src|harness|bench|test)\//.test(target) && !SOURCES.has(target),
  );
  expect(lost).toEqual([]);
});

describe('between the parts', () => {
  test('nothing in src imports harness, bench or test', () => {
    expect(edges(inside('src'), (target) => /^(?:harness|bench|test)\//.test(target))).toEqual([]);
  });

  test('nothing but tests imports tests, and nothing but the bench imports the bench', () => {
    expect(edges((path) => !inside('test')(path), inside('test'))).toEqual([]);
    expect(edges((path) => !/^(?:test|bench)\//.test(path), inside('bench'))).toEqual([]);
  });

  test('the engine imports nothing of the others, the telemetry only the engine', () => {
    expect(edges(isEngine, (target) => isRelative(target) && !isEngine(target))).toEqual([]);
    expect(
      edges(isTelemetry, (target) => isRelative(target) && !isTelemetry(target) && !isEngine(target)),
    ).toEqual([]);
    expect(edges(inside('harness'), inside('src/cli'))).toEqual([]);
  });

  test('from outside, the engine and the telemetry are imported through what the package exports', () => {
    const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
    const exported = Object.values<{ default?: string }>(manifest.exports).flatMap(
      (entry) => entry.default?.replace(/^\.\/dist\//, '').replace(/\.js$/, '') ?? [],
    );
    expect(exported).toContain('src/engine/index');
    const hidden = (isPart: (path: string) => boolean) => (target: string) =>
      isPart(target) && !exported.includes(target);
    // The crash injector, the corpus and the fuzzer look at the files of a store from below.
    const mayLookInside = (path: string) =>
      /^(?:test|harness\/crash|harness\/corpus|harness\/fuzz)\//.test(path);
    expect(edges((path) => !isEngine(path) && !mayLookInside(path), hidden(isEngine))).toEqual([]);
    expect(edges((path) => !isTelemetry(path) && !inside('test')(path), hidden(isTelemetry))).toEqual([]);
  });
});

describe('in the engine', () => {
  const files = [...SOURCES.keys()].filter(isEngine).map(engineName);
  const tierOf = (name: string) => ENGINE_TIERS.findIndex((tier) => tier.includes(name));
  const internal = edges(isEngine, isEngine).map((edge) => {
    const [from = '', to = ''] = edge.split(' -> ').map(engineName);
    return { from, to };
  });

  test('every file has its place, and every place its file', () => {
    const placed = [...ENGINE_TIERS.flat(), ...ENGINE_LEAVES, REAL_FILE_SYSTEM];
    expect(files.toSorted()).toEqual(placed.toSorted());
    expect(new Set(placed).size).toBe(placed.length);
  });

  test('imports lead downward', () => {
    const upward = internal.filter(({ from, to }) => {
      if (ENGINE_LEAVES.includes(to)) return false;
      if (to === REAL_FILE_SYSTEM) return !REAL_FILE_SYSTEM_IMPORTERS.includes(from);
      if (ENGINE_LEAVES.includes(from)) return to !== 'format';
      return from === REAL_FILE_SYSTEM || tierOf(to) <= tierOf(from);
    });
    expect(upward).toEqual([]);
  });

  test('there are no cycles, in the leaves neither', () => {
    const importsOf = (name: string) => internal.filter(({ from }) => from === name).map(({ to }) => to);
    const findCycle = (name: string, path: readonly string[]): readonly string[] | undefined => {
      if (path.includes(name)) return [...path.slice(path.indexOf(name)), name];
      for (const next of importsOf(name)) {
        const cycle = findCycle(next, [...path, name]);
        if (cycle !== undefined) return cycle;
      }
      return undefined;
    };
    expect(files.map((name) => findCycle(name, [])).find((cycle) => cycle !== undefined)).toBeUndefined();
  });

  test('packages are imported only where they are meant to be, file access and telemetry least of all', () => {
    const used = edges(isEngine, (target) => !isRelative(target)).map((edge) => {
      const [from = '', to = ''] = edge.split(' -> ');
      return [engineName(from), packageOf(to)] as const;
    });
    const unexpected = used.filter(
      ([from, to]) => !HARMLESS.includes(to) && !ENGINE_PACKAGES[to]?.includes(from),
    );
    expect(unexpected).toEqual([]);
    const stale = Object.entries(ENGINE_PACKAGES).flatMap(([name, importers]) =>
      importers
        .filter((from) => !used.some(([file, used]) => file === from && used === name))
        .map((from) => [from, name]),
    );
    expect(stale).toEqual([]);
  });
});
