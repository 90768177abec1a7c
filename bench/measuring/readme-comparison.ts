import { UsageError } from './bench-directory.ts';

const BEGIN = '<!-- bench peers -->';
const END = '<!-- end -->';

/**
 * Maps the name of a row in docs/performance.md to its name in README.md and to what its work
 * survives.
 */
const ROWS: ReadonlyMap<string, readonly [work: string, survives: string]> = new Map([
  ['get, 100k keys', ['get, of 100,000 keys', 'only reads']],
  ['read all pairs, each', ['read all pairs, each', 'only reads']],
  ['put, survives a process crash', ['put', 'process crash']],
  [
    'batch of 1,000, each put; survives a process crash',
    ['put, in a batch of 1,000', 'process crash'],
  ],
  ['durable put, alone', ['durable put, alone', 'power cut']],
  ['durable put, 64 waiting, each', ['durable put, 64 waiting, each', 'power cut']],
  ['open and first get, 100k keys', ['open and first get, 100,000 keys', 'only reads']],
]);

/**
 * `readme` with its comparison made from the table of the peers in `performance`, the text of
 * docs/performance.md.
 */
export function withComparison(readme: string, performance: string): string {
  const from = readme.indexOf(BEGIN);
  const to = readme.indexOf(END, from);
  if (from === -1 || to === -1) throw new UsageError(`the README has no block ${BEGIN} … ${END}`);
  return `${readme.slice(0, from)}${BEGIN}\n${comparison(performance)}\n${readme.slice(to)}`;
}

function comparison(performance: string): string {
  const block = performance.slice(performance.indexOf(BEGIN) + BEGIN.length);
  const [measured = '', , head = '', , ...lines] = block
    .slice(0, block.indexOf(END))
    .trim()
    .split('\n');
  const table = lines.slice(0, lines.indexOf('')).map((line) => {
    const [work = '', ...cells] = cellsOf(line);
    const row = ROWS.get(work);
    if (row === undefined)
      throw new UsageError(`README.md says nothing of what '${work}' survives`);
    return lineOf([...row, ...cells]);
  });
  const names = cellsOf(head).slice(1);
  return [
    lineOf(['', 'survives', ...names]),
    lineOf(['---', '---', ...names.map(() => '---:')]),
    ...table,
    '',
    measured,
  ].join('\n');
}

function cellsOf(line: string): string[] {
  return line
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim());
}

function lineOf(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}
