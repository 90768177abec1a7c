import { execFile } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { decodeFrame } from '../../src/engine/format/frame.ts';
import { openStore } from '../../src/engine/index.ts';
import { METRIC_FAMILIES } from '../../src/telemetry/metric-table.ts';
import { SPAN_NAMES } from '../../src/telemetry/span-counts.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const run = promisify(execFile);
const ROOT = resolve('.');
const DOCUMENTS = [
  'README.md',
  'ARCHITECTURE.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  ...readdirSync('docs')
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs', name)),
];

interface Snippet {
  readonly document: string;
  readonly line: number;
  readonly language: string;
  /** Why nothing runs it: what stands behind `not-run:` on its first line. */
  readonly notRun: string | undefined;
  readonly code: string;
}

/** Every fenced block of every page. */
const SNIPPETS: readonly Snippet[] = DOCUMENTS.flatMap((document) => {
  const text = readFileSync(document, 'utf8');
  return [...text.matchAll(/^```(\w*)(?: not-run: (.+))?\n([\s\S]*?)^```$/gm)].map(
    ({ index, 1: language = '', 2: notRun, 3: code = '' }) => ({
      document,
      line: text.slice(0, index).split('\n').length + 1,
      language,
      notRun,
      code,
    }),
  );
});

function snippets(...languages: readonly string[]): Snippet[] {
  return SNIPPETS.filter(({ language }) => languages.includes(language));
}

/** A directory in which `tidemark` and its peers are installed, as in a user's project. */
function userProject(): string {
  const directory = temporaryDirectory();
  mkdirSync(join(directory, 'node_modules'));
  symlinkSync(ROOT, join(directory, 'node_modules', 'tidemark'));
  for (const peer of ['prom-client', '@opentelemetry']) {
    symlinkSync(join(ROOT, 'node_modules', peer), join(directory, 'node_modules', peer));
  }
  return directory;
}

/** Stores under the names that the pages use, and the command where `npx` finds it. */
async function shellProject(): Promise<string> {
  const directory = userProject();
  const bin = join(directory, 'bin');
  mkdirSync(bin);
  const main = join(ROOT, 'dist', 'src', 'cli', 'main.js');
  writeFileSync(join(bin, 'npx'), `#!/bin/sh\nshift\nexec ${process.execPath} ${main} "$@"\n`, {
    mode: 0o755,
  });
  const store = await openStore(join(directory, 'data'));
  store.put('city', 'Reykjavík');
  await store.putDurable('ada', '{"name":"Ada","visits":1}');
  await store.close();
  cpSync(join(directory, 'data'), join(directory, 'damaged'), { recursive: true });
  const segment = join(directory, 'damaged', '00000001.dwal');
  const bytes = readFileSync(segment);
  bytes[30] = (bytes[30] as number) ^ 1;
  writeFileSync(segment, bytes);
  return directory;
}

describe('documents', () => {
  test('every block is run, read as data, or says why it is not run', () => {
    const fences = DOCUMENTS.flatMap(
      (document) => readFileSync(document, 'utf8').match(/^ *```.*$/gm) ?? [],
    );
    // None is indented or unfinished, and none has a form that this file does not see.
    expect(fences).toHaveLength(SNIPPETS.length * 2);
    const runOrRead = ['js', 'sh', 'bash', 'hex', 'json', 'yaml'];
    const shown = ['', 'text'];
    for (const { document, line, language, notRun } of SNIPPETS) {
      expect([document, line, [...runOrRead, ...shown]]).toEqual([
        document,
        line,
        expect.arrayContaining([language]),
      ]);
      // Only commands may be too long to run.
      if (notRun !== undefined) expect(['sh', 'bash']).toContain(language);
    }
  });

  test.each(snippets('sh', 'bash').filter(({ notRun }) => notRun === undefined))(
    'the commands at $document:$line run',
    async ({ code }) => {
      const directory = await shellProject();
      const env = { ...process.env, PATH: `${join(directory, 'bin')}:${process.env.PATH}` };
      for (const line of code.trim().split('\n')) {
        // A follower goes on until it is interrupted.
        const words = line.replace(/ --follow\b/, '');
        expect(words).toContain('npx tidemark ');
        const ended = await run('bash', ['-c', words], { cwd: directory, env }).catch(
          (error: { code: number }) => error,
        );
        // What salvage lost, it says by its status.
        const status = 'code' in ended ? ended.code : 0;
        expect([line, status]).toEqual([line, words.includes('salvage') ? 2 : 0]);
      }
    },
  );

  test('blocks of JSON and YAML are that', () => {
    for (const { code } of snippets('json')) JSON.parse(code);
    for (const { code } of snippets('yaml')) expect(parse(code)).toBeTypeOf('object');
  });

  test('every link inside the repository leads to a file, and to a heading of it', () => {
    for (const document of DOCUMENTS) {
      const text = readFileSync(document, 'utf8').replace(/^```[\s\S]*?^```$/gm, '');
      for (const [, target = ''] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
        if (/^[a-z]+:/.test(target)) continue;
        const [path = '', heading] = target.split('#');
        const file = path === '' ? document : join(dirname(document), path);
        expect([document, target, existsSync(file)]).toEqual([document, target, true]);
        if (heading === undefined) continue;
        const headings = [...readFileSync(file, 'utf8').matchAll(/^#+ (.+)$/gm)].map(
          ([, words = '']) =>
            words
              .toLowerCase()
              .replace(/[^\w\- ]/g, '')
              .replaceAll(' ', '-'),
        );
        expect([document, target, headings]).toEqual([
          document,
          target,
          expect.arrayContaining([heading]),
        ]);
      }
    }
  });

  test('the facts on the first screen of README.md are those of package.json', () => {
    const manifest = JSON.parse(readFileSync('package.json', 'utf8'));
    const [, facts = ''] =
      /<!-- facts -->([\s\S]*?)<!-- end -->/.exec(readFileSync('README.md', 'utf8')) ?? [];
    expect(facts).toContain(`Node ${manifest.engines.node.replace('>=', '')} or newer`);
    expect(facts).toContain(`${Object.keys(manifest.dependencies).length} dependencies`);
    expect(facts).toContain(manifest.license);
    expect(Object.keys(manifest.scripts)).not.toContain('install');
  });

  test.each(snippets('js'))('the code at $document:$line runs', async ({ code }) => {
    const directory = userProject();
    writeFileSync(join(directory, 'snippet.mjs'), code);
    const { stdout } = await run(process.execPath, ['snippet.mjs'], { cwd: directory });
    // A snippet that prints a comparison means it to hold.
    expect(stdout).not.toMatch(/^(false|undefined|NaN)$/m);
  });

  test('every npm script that a document names exists', () => {
    const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as {
      scripts: Record<string, string>;
    };
    const named = snippets('sh').flatMap(({ code }) =>
      [...code.matchAll(/npm (?:run )?(\w+)/g)].map(([, name]) => name),
    );
    expect(named).toContain('soak');
    for (const name of named)
      if (!['ci', 'install'].includes(name as string))
        expect(scripts).toHaveProperty(name as string);
  });

  test('the commands of a document are commands of the binary', async () => {
    const { stdout } = await run(process.execPath, ['dist/src/cli/main.js', '--help']);
    for (const { code } of snippets('sh')) {
      for (const [, command] of code.matchAll(/npx tidemark (\S+)/g))
        expect(stdout).toContain(`  ${command} `);
    }
  });

  test('the bytes that docs/format.md works through are a frame', () => {
    const [{ code }] = snippets('hex') as [Snippet];
    const decoded = decodeFrame(Buffer.from(code.replace(/\s/g, ''), 'hex'));
    if (!decoded.ok) throw new Error(decoded.fault);
    expect(decoded.record).toMatchObject({ type: 1, txid: 1 });
    expect([String(decoded.record.key), String(decoded.record.payload)]).toEqual(['k', 'hi']);
  });

  test('docs/telemetry.md lists every metric with its kind and labels, every span, and nothing else', () => {
    const text = readFileSync('docs/telemetry.md', 'utf8');
    const rows = [...text.matchAll(/^\| `(tidemark_\w+)` \| (\w+) \|([^|]*)\|([^|]*)\|/gm)].map(
      ([, name, kind, labels]) =>
        `${name} ${kind} ${[...(labels as string).matchAll(/`(\w+)`/g)].map(([, label]) => label)}`,
    );
    expect(rows).toEqual(
      METRIC_FAMILIES.map(({ name, kind, labels }) => `${name} ${kind} ${labels}`),
    );
    const spans = [...text.matchAll(/^\| `(tidemark\.\w+)` \| INTERNAL/gm)].map(([, name]) => name);
    expect(spans.sort()).toEqual(Object.values(SPAN_NAMES).sort());
  });
});
