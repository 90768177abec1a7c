import { availableParallelism } from 'node:os';
import { Command, Option } from 'commander';
import { integerBetween, positive, seedNumber } from '../../command-line.ts';
import { PROFILES, type Profile } from '../campaign/campaign-options.ts';

export interface PlanFlags {
  readonly profile: Profile;
  readonly seed?: number;
  readonly parts?: readonly string[];
  readonly workloads?: number;
  readonly stores?: number;
  readonly disks?: number;
  readonly mutants?: true;
}

export interface ShardFlags {
  readonly campaign: string;
  readonly shard?: string;
  readonly units?: readonly string[];
  readonly out: string;
  readonly resume?: string;
  readonly workers: number;
  readonly seconds?: number;
}

export interface MergeFlags {
  readonly campaign: string;
  readonly out: string;
}

export function planCommand(): Command {
  return new Command('plan')
    .description('Lists the units of a campaign, as JSON on the standard output.')
    .addOption(
      new Option('--profile <name>', 'how much').choices(Object.keys(PROFILES)).default('default'),
    )
    .option('--seed <n>', 'of everything in it (default: random)', seedNumber)
    .option('--parts <list>', 'only these parts', (text) => text.split(','))
    .option('--workloads <n>', 'workloads of the part states', wholeNumber)
    .option('--stores <n>', 'stores of the part kills', wholeNumber)
    .option('--disks <n>', 'disks of the part blocks', wholeNumber)
    .option('--mutants', 'only the parts mutants and plants');
}

export function shardCommand(): Command {
  return new Command('--campaign')
    .description('Runs units of a campaign, and leaves a blob that merge-reports reads.')
    .requiredOption('--campaign <file>', 'as plan has written it')
    .option('--shard <i/n>', 'which share of it; auto asks the environment')
    .option(
      '--units <part:numbers>',
      'only these, as in states:3,17-20; may come again',
      (text, all: readonly string[] = []) => [...all, text],
    )
    .option('--out <directory>', 'the blob; what is there is removed', './tidemark-blob')
    .option('--resume <directory>', 'a blob to go on with')
    .option('--workers <n>', 'units at a time', wholeNumber, availableParallelism())
    .option('--seconds <n>', 'the most time; what is not done then is listed', positive);
}

export function mergeCommand(): Command {
  return new Command('merge-reports')
    .description('Puts the blobs of a campaign together, and judges the whole.')
    .requiredOption('--campaign <file>', 'as plan has written it')
    .option('--out <directory>', 'directory for the report', './tidemark-merged')
    .argument('<directory...>', 'where blobs lie, at any depth');
}

function wholeNumber(text: string): number {
  return integerBetween(text, 1, Number.MAX_SAFE_INTEGER);
}
