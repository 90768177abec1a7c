import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { compactionTable } from '../compaction/table.ts';
import { UsageError } from '../measuring/bench-directory.ts';
import { describeMachine, describeRun, progress } from '../measuring/output.ts';
import { withComparison } from '../measuring/readme-comparison.ts';
import type { Result } from '../measuring/result.ts';
import { readResult } from '../measuring/result-file.ts';
import { countTable, markdownOf, rowTable } from '../measuring/table.ts';
import type { CompactionResult } from './compaction.ts';
import { type GrowthResult, growthOfGet, growthTable } from './growth.ts';
import { type PeersResult, peerTable, settingsTable } from './peers.ts';

/**
 * What stands between `<!-- bench NAME -->` and `<!-- end -->` in the document, made from the
 * result of a command.
 */
const BLOCKS: readonly {
  name: string;
  command: string;
  content: (result: Result) => string[];
  describe?: (result: Result) => string;
}[] = [
  { name: 'rows', command: 'bench', content: (result) => [markdownOf(rowTable(result.rows))] },
  { name: 'counts', command: 'bench', content: (result) => [markdownOf(countTable(result))] },
  {
    name: 'peers',
    command: 'peers',
    content: (result) => [
      markdownOf(peerTable(result as PeersResult)),
      markdownOf(settingsTable(result as PeersResult)),
    ],
  },
  {
    name: 'growth',
    command: 'growth',
    content: (result) => [
      markdownOf(growthTable(result as GrowthResult)),
      `${growthOfGet(result as GrowthResult)}.`,
    ],
  },
  {
    name: 'compaction',
    command: 'compaction',
    content: (result) => [markdownOf(compactionTable(result as CompactionResult))],
    describe: describeMachine,
  },
];

/**
 * Puts the tables of the last runs into the document, each with the machine, the date and the load,
 * and the comparison into the README. A table of which there is no run stays as it is.
 */
export function runDocument({
  results,
  document,
  readme,
}: {
  readonly results: string;
  readonly document: string;
  readonly readme: string;
}): void {
  let text = readDocument(document);
  const path = (command: string) => join(results, `${command}.json`);
  const present = BLOCKS.filter(({ command }) => existsSync(path(command)));
  if (present.length === 0)
    throw new UsageError(
      `there is no result in ${results}; run npm run bench first, or give --results`,
    );
  for (const { name, command, content, describe = describeRun } of present) {
    const result = readResult(path(command));
    const block = [
      `Measured on ${result.startedAt.slice(0, 10)}. ${sentence(describe(result))}`,
      ...content(result),
    ];
    text = replaceBlock(text, name, block.join('\n\n'), document);
  }
  const compared = withComparison(readDocument(readme), text);
  writeFileSync(document, text);
  writeFileSync(readme, compared);
  progress(`wrote into ${document} and ${readme}: ${present.map(({ name }) => name).join(', ')}`);
}

function readDocument(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new UsageError(`cannot read ${path}: ${(error as Error).message}`);
  }
}

function replaceBlock(text: string, name: string, block: string, document: string): string {
  const begin = `<!-- bench ${name} -->`;
  const from = text.indexOf(begin);
  const to = text.indexOf('<!-- end -->', from);
  if (from === -1 || to === -1)
    throw new UsageError(`${document} has no block ${begin} … <!-- end -->`);
  return `${text.slice(0, from)}${begin}\n${block}\n${text.slice(to)}`;
}

function sentence(description: string): string {
  return description
    .split('\n')
    .map((line) => `${line[0]?.toUpperCase()}${line.slice(1)}.`)
    .join(' ');
}
