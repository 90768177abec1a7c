import { describeContract } from '../contract.ts';
import { LEAST_FAULTS } from '../crash/faults/store-faults.ts';
import type { StoreFinding } from '../crash/kills/store-finding.ts';
import { LEAST_KILLS } from '../crash/kills/store-kills.ts';
import type { SurveyedResult } from './survey.ts';

export interface SurveyRun {
  readonly command: string;
  readonly date: string;
  readonly node: string;
  readonly seconds: number;
}

/** The page of the survey, in Markdown. */
export function surveyPage(results: readonly SurveyedResult[], run: SurveyRun): string {
  return `${[
    '# Stores under the same crashes',
    '',
    intro(run),
    '',
    '| store | version | promise | workload steps | kills | faults | promised / sync calls | findings |',
    '|---|---|---|---|---|---|---|---|',
    ...results.map(row),
    '',
    '## What was found',
    '',
    ...results.flatMap(story),
    '## How to read it',
    '',
    HOW_TO_READ,
  ].join('\n')}\n`;
}

function intro({ command, date, node, seconds }: SurveyRun): string {
  return [
    `\`${command}\` wrote this page on ${date}, with Node ${node}. It installed each store`,
    'in the version that stands here and set it as its own documentation says that it is strongest.',
    `Each part had ${seconds} seconds per store, on a machine that had other work.`,
  ].join('\n');
}

const HOW_TO_READ = [
  'A store is held to its own promise, and the link leads to where it makes it. `put=kill` means that',
  'a finished put survives the death of the process; `put=power`, that it survives a power cut;',
  '`put=nothing`, that nobody has promised anything of a crash, so that only an opening that fails and',
  'a pair that was never put are findings. `prefix` and `per-key` say what a crash may leave.',
  '',
  'Kills are SIGKILLs at random times, behind an acknowledgement, and as a thread begins its n-th call',
  'of a kind that changes the disk. Faults are EIO, ENOSPC, EDQUOT, EMFILE and EINTR in a call that',
  'the store makes on its own files, full disks, and limits of descriptors and of file sizes. A kill',
  'loses nothing of the page cache, so these two say nothing of power cuts. `promised / sync calls` is',
  'a count that strace took of a run without a crash: writes or syncs that the store acknowledged as',
  'surviving a power cut, beside all calls of fsync, fdatasync, msync and sync_file_range and all',
  'files opened with O_SYNC or O_DSYNC, those of opening and closing included.',
  '',
  `Fewer than ${LEAST_KILLS} kills or ${LEAST_FAULTS} faults are inconclusive, and marked so.`,
].join('\n');

function row({ store, trouble, subject, workload, kills, faults, syncs }: SurveyedResult): string {
  const versions = Object.values(store.packages).join(' on ') || 'this repository';
  const head = `| ${store.name} | ${versions}`;
  if (subject === undefined) return `${head} | | | | | | ${trouble?.replaceAll('|', '/')} |`;
  const count = (value: number | undefined, least: number) =>
    `${value ?? 0}${(value ?? 0) < least ? ' (inconclusive)' : ''}`;
  const findings = findingsOf({ workload, kills, faults }).length + (lacksSyncs(syncs) ? 1 : 0);
  const cells = [
    `[${describeContract(subject.contract)}](${store.promise})`,
    workload?.steps ?? 0,
    count(kills?.kills, LEAST_KILLS),
    count(faults?.met, LEAST_FAULTS),
    subject.contract.put === 'power' || subject.contract.sync === 'power'
      ? `${syncs?.promised} / ${syncs?.systemCalls}`
      : `nothing promised / ${syncs?.systemCalls}`,
    findings,
  ];
  return `${head} | ${cells.join(' | ')} |`;
}

/** It acknowledged durable writes, and asked the kernel for none. */
export function lacksSyncs(syncs: SurveyedResult['syncs']): boolean {
  return syncs !== undefined && syncs.promised > 0 && syncs.systemCalls === 0;
}

function findingsOf({
  workload,
  kills,
  faults,
}: Pick<SurveyedResult, 'workload' | 'kills' | 'faults'>): (readonly [string, StoreFinding])[] {
  return [
    ...(workload?.findings ?? []).map((finding) => ['without a crash', finding] as const),
    ...(kills?.findings ?? []).map((finding) => ['kill', finding] as const),
    ...(faults?.findings ?? []).map((finding) => ['fault', finding] as const),
  ];
}

function story(result: SurveyedResult): string[] {
  const { store, subject, syncs } = result;
  const found = findingsOf(result);
  const lines = found.map(
    ([part, { promise, message }]) => `- ${part}, \`${promise}\`: ${oneLine(message)}`,
  );
  if (lacksSyncs(syncs))
    lines.push(
      `- power, \`durable\`: ${syncs?.promised} writes were acknowledged as surviving a power cut, and the process made no sync call at all. The count is by strace.`,
    );
  const refusals = subject?.refusals ?? [];
  if (lines.length === 0 && refusals.length === 0) return [];
  return [
    `### ${store.name}`,
    '',
    `Set: ${store.setting}.`,
    ...(refusals.length === 0 ? [] : [`It takes no ${refusals.map(oneLine).join('; no ')}.`]),
    '',
    ...(lines.length === 0 ? [] : [...lines, '']),
  ];
}

function oneLine(text: string): string {
  const line = text
    .replaceAll(/\s+/g, ' ')
    .replaceAll('|', '/')
    .replaceAll(/\/\S*\/(?=\S)/g, '…/');
  return line.length > 300 ? `${line.slice(0, 300)}…` : line;
}
