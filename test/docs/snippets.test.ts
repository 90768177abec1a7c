import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { decodeFrame } from '../../src/engine/format/frame.ts';
import { METRIC_FAMILIES } from '../../src/telemetry/metric-table.ts';
import { SPAN_NAMES } from '../../src/telemetry/span-counts.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const run = promisify(execFile);
const ROOT = resolve('.');
const DOCUMENTS = [
  'README.md',
  'ARCHITECTURE.md',
  ...readdirSync('docs')
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs', name)),
];

interface Snippet {
  readonly document: string;
  readonly line: number;
  readonly code: string;
}

function snippets(language: string): Snippet[] {
  return DOCUMENTS.flatMap((document) => {
    const text = readFileSync(document, 'utf8');
    return [...text.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, 'gm'))].map(
      (match) => ({
        document,
        line: text.slice(0, match.index).split('\n').length + 1,
        code: match[1] as string,
      }),
    );
  });
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

describe('documents', () => {
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
    for (const name of named) if (name !== 'ci') expect(scripts).toHaveProperty(name as string);
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
