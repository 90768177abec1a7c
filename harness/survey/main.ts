#!/usr/bin/env node
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { ExitCode } from '../exit-code.ts';
import { enterInvokedDirectory } from '../invocation.ts';
import { COMMAND_OUTPUT, complain, print, watchStandardStreams } from '../standard-streams.ts';
import { type SurveyedResult, surveyStore } from './survey.ts';
import { surveyPage } from './survey-page.ts';
import { SURVEYED_STORES } from './surveyed-stores.ts';

watchStandardStreams('survey');
enterInvokedDirectory('survey');

interface Flags {
  readonly seconds: number;
  readonly seed: number;
  readonly workers: number;
  readonly out: string;
  readonly only?: string;
  readonly installIn?: string;
  readonly keepIn?: string;
}

const command = new Command('npm run survey --')
  .configureOutput(COMMAND_OUTPUT)
  .description(
    'Installs a list of stores from npm, each in one version, crashes all of them the same way, and writes what came of it.',
  )
  .option('--seconds <n>', 'for each part of each store', positive, 30)
  .option('--seed <n>', 'of keys, values and crashes', positive, 1)
  .option('--workers <n>', 'stores at a time', positive, 2)
  .option('--only <names>', 'of the list only these, with commas between them')
  .option('--install-in <directory>', 'packages are installed there, and kept for the next time')
  .option(
    '--keep-in <directory>',
    'what came of each store is kept there: a survey that was interrupted goes on where it was',
  )
  .option('--out <file>', 'the page', 'docs/survey.md')
  .parse();
const { seconds, seed, workers, out, only, installIn, keepIn } = command.opts<Flags>();
const names = only?.split(',');
const stores = SURVEYED_STORES.filter(({ name }) => names?.includes(name) ?? true);
const unknown =
  names?.filter((name) => !SURVEYED_STORES.some((store) => store.name === name)) ?? [];
if (unknown.length > 0) {
  complain(`survey: there is no store ${unknown.join(', ')} in the list`);
  process.exitCode = ExitCode.usage;
} else {
  process.exitCode = await survey();
}

async function survey(): Promise<ExitCode> {
  const directory = mkdtempSync(join(tmpdir(), 'tidemark-survey-'));
  const results: SurveyedResult[] = [];
  try {
    const todo = [...stores];
    const lanes = Array.from({ length: workers }, async () => {
      for (let store = todo.shift(); store !== undefined; store = todo.shift()) {
        const result = await surveyStore(store, {
          directory,
          seed,
          seconds,
          ...(installIn === undefined ? {} : { installIn: resolve(installIn) }),
          ...(keepIn === undefined ? {} : { keepIn: resolve(keepIn) }),
        });
        results.push(result);
        print(describe(result));
        // After each, so that whoever interrupts it has what was found so far.
        writePage(results);
      }
    });
    await Promise.all(lanes);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
  return results.some(({ trouble }) => trouble === undefined)
    ? ExitCode.pass
    : ExitCode.inconclusive;
}

function describe({ store, trouble, workload, kills, faults, cuts }: SurveyedResult): string {
  const found = [workload, kills, faults, cuts].flatMap((part) => part?.findings ?? []).length;
  const told = `${kills?.kills} kills, ${faults?.met} faults, ${cuts?.opened} images, ${found} findings`;
  return `${store.name}: ${trouble ?? told}`;
}

function writePage(results: readonly SurveyedResult[]): void {
  const inOrder = stores.flatMap((store) => results.find((result) => result.store === store) ?? []);
  const run = {
    command: `npm run survey -- --seconds ${seconds} --seed ${seed} --workers ${workers}`,
    workers,
    node: process.versions.node,
    seconds,
  };
  writeFileSync(out, surveyPage(inOrder, run));
}

function positive(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1)
    throw new InvalidArgumentError('Give an integer above 0.');
  return value;
}
