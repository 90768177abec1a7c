import { readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
/** Holds imports that are only text. */
const THIS_FILE = relative(ROOT, fileURLToPath(import.meta.url));

/**
 * The folders of a part, from the lowest rank up; those of one rank do not know each other. A file
 * imports its own folder or a lower rank, type-only imports included. Files beside the folders
 * stand above all of them.
 */
const RANKS: Readonly<Record<string, readonly (readonly string[])[]>> = {
  'src/engine': [
    ['host'],
    ['format'],
    ['lock', 'segment'],
    ['seal'],
    ['keydir', 'recovery'],
    ['log'],
    ['merge', 'upkeep'],
    ['read'],
  ],
  'harness/crash': [
    ['work', 'promises', 'report'],
    ['disk', 'recording'],
    ['states', 'rot', 'upkeep'],
    ['kills', 'plants', 'cuts'],
    ['blocks', 'faults', 'host', 'story'],
    ['power'],
    ['campaign'],
  ],
  'harness/soak': [['run'], ['sampling'], ['gates'], ['options'], ['result'], ['report']],
};

/**
 * The parts in which imports go in no circle, neither from file to file nor from folder to folder.
 */
const PARTS = ['src', 'harness', 'bench', 'dashboards'];

/** The real file system, where a caller may leave the choice to us. */
const REAL_FILE_SYSTEM = 'host/node-file-system';
const REAL_FILE_SYSTEM_IMPORTERS = [
  'index',
  'log/open-log',
  'read/reader',
  'upkeep/salvage',
  'upkeep/surroundings',
  'upkeep/survey',
];

/** Parts of Node that touch no disk; any engine file may import them. */
const HARMLESS = [
  'node:async_hooks',
  'node:crypto',
  'node:os',
  'node:path',
  'node:timers/promises',
  'node:util',
  'node:worker_threads',
];

/** Everything else that the engine imports from outside, and where. Nothing of telemetry. */
const ENGINE_PACKAGES: Readonly<Record<string, readonly string[]>> = {
  'node:diagnostics_channel': ['host/operation-channels'],
  'node:fs': [REAL_FILE_SYSTEM],
  'node:module': ['host/installed-part'],
  '@node-rs/crc32': ['format/crc32c'],
  'fast-crc32c': ['format/crc32c'],
  'fs-native-extensions': [REAL_FILE_SYSTEM],
  'proper-lockfile': [REAL_FILE_SYSTEM],
};

/** An import or export statement at the beginning of a line: what it takes, and from where. */
const STATEMENT = /^(?:import|export)\s+(?:([\w\s{},*$]*?)\bfrom\s+)?['"]([^'"]+)['"]/gm;
const CALL = /\b(?:import|require|installedPart|createRequire\([^)]*\))\(\s*['"]([^'"]+)['"]\s*\)/g;

/**
 * What a file imports: files relative to the root and without their ending, packages as they are
 * written.
 */
function parseImports(file: string, text: string): string[] {
  const statements = [...text.matchAll(STATEMENT)].map(([, , specifier = '']) => specifier);
  const calls = [...text.matchAll(CALL)].map(([, specifier = '']) => specifier);
  return [...statements, ...calls].map((specifier) =>
    specifier.startsWith('.')
      ? join(dirname(file), specifier).replace(/\.[cm]?[jt]s$/, '')
      : specifier,
  );
}

/** Every source file by its path without ending, with what it imports. */
function readSources(): Map<string, readonly string[]> {
  const sources = new Map<string, readonly string[]>();
  for (const folder of ['src', 'harness', 'bench', 'dashboards', 'test']) {
    for (const entry of readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })) {
      const path = relative(ROOT, join(entry.parentPath, entry.name));
      if (!entry.isFile() || !path.endsWith('.ts') || path === THIS_FILE) continue;
      sources.set(
        path.replace(/\.ts$/, ''),
        parseImports(path, readFileSync(join(ROOT, path), 'utf8')),
      );
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
    (target) => /^(?:src|harness|bench|dashboards|test)\//.test(target) && !SOURCES.has(target),
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
      edges(
        isTelemetry,
        (target) => isRelative(target) && !isTelemetry(target) && !isEngine(target),
      ),
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
    expect(
      edges((path) => !isTelemetry(path) && !inside('test')(path), hidden(isTelemetry)),
    ).toEqual([]);
  });
});

/** Follows `next` from each of `all`, and returns the first way that leads back to where it was. */
function findCircle(
  all: Iterable<string>,
  next: (from: string) => Iterable<string>,
): readonly string[] | undefined {
  const done = new Set<string>();
  const visit = (at: string, path: readonly string[]): readonly string[] | undefined => {
    if (path.includes(at)) return [...path.slice(path.indexOf(at)), at];
    if (done.has(at)) return undefined;
    for (const to of next(at)) {
      const circle = visit(to, [...path, at]);
      if (circle !== undefined) return circle;
    }
    done.add(at);
    return undefined;
  };
  for (const start of all) {
    const circle = visit(start, []);
    if (circle !== undefined) return circle;
  }
  return undefined;
}

describe.each(Object.entries(RANKS))('in %s', (part, ranks) => {
  const inPart = inside(part);
  /**
   * The folder of a file of the part, by its path below the part; undefined for a file beside the
   * folders.
   */
  const folderOf = (path: string) => path.slice(part.length + 1).match(/^([^/]+)\//)?.[1];
  const rankOf = (path: string) => {
    const folder = folderOf(path);
    return folder === undefined ? ranks.length : ranks.findIndex((rank) => rank.includes(folder));
  };

  test('every folder has a rank, and every rank its folders', () => {
    const folders = new Set(
      [...SOURCES.keys()].filter(inPart).flatMap((path) => folderOf(path) ?? []),
    );
    expect([...folders].toSorted()).toEqual(ranks.flat().toSorted());
  });

  test('a file imports its own folder or a lower rank', () => {
    const upward = edges(inPart, inPart).filter((edge) => {
      const [from = '', to = ''] = edge.split(' -> ');
      return folderOf(from) !== folderOf(to) && rankOf(to) >= rankOf(from);
    });
    expect(upward).toEqual([]);
  });
});

describe.each(PARTS)('in %s', (part) => {
  const files = [...SOURCES.keys()].filter(inside(part));
  const importsOf = (from: string) => (SOURCES.get(from) ?? []).filter(inside(part));

  test('no file imports itself by way of others', () => {
    expect(findCircle(files, importsOf)).toBeUndefined();
  });

  test('no folder imports itself by way of others', () => {
    // A public face stands above the folder that it is a face of.
    const roomOf = (file: string) => (file.endsWith('/index') ? file : dirname(file));
    const others = (room: string) =>
      files
        .filter((file) => roomOf(file) === room)
        .flatMap((file) => importsOf(file).map(roomOf))
        .filter((target) => target !== room);
    expect(findCircle(new Set(files.map(roomOf)), others)).toBeUndefined();
  });
});

describe('in the engine', () => {
  test('the real file system is imported only where a caller may leave the choice to us', () => {
    const importers = edges(isEngine, (target) => target === `${ENGINE}${REAL_FILE_SYSTEM}`);
    expect(importers.map((edge) => engineName(edge.split(' -> ')[0] ?? '')).toSorted()).toEqual(
      REAL_FILE_SYSTEM_IMPORTERS.toSorted(),
    );
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
