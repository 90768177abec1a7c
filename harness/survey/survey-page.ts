import { describeContract } from '../contract.ts';
import { LEAST_FAULTS } from '../crash/faults/store-faults.ts';
import type { StoreFinding } from '../crash/kills/store-finding.ts';
import { LEAST_KILLS } from '../crash/kills/store-kills.ts';
import { LEAST_IMAGES } from '../crash/power/store-cuts.ts';
import type { SurveyedResult } from './survey.ts';

export interface SurveyRun {
  readonly command: string;
  readonly node: string;
  readonly seconds: number;
  /** Stores at a time. */
  readonly workers: number;
}

/** The page of the survey, in Markdown. */
export function surveyPage(results: readonly SurveyedResult[], run: SurveyRun): string {
  const page = [
    '# Stores under the same crashes',
    '',
    intro(results, run),
    '',
    '| store | version | promise | steps | kills | faults | images | promised, without a sync, sync calls | found: no crash, kill, fault | ext4 | posix |',
    '|---|---|---|---|---|---|---|---|---|---|---|',
    ...results.map(row),
    '',
    '## What was found',
    '',
    ...results.flatMap(story),
    '## How to read it',
    '',
    HOW_TO_READ,
  ].join('\n');
  return `${reflowed(page)}\n`;
}

const WIDTH = 100;

/** Lines of prose are broken at a space; tables stay as they are. */
export function reflowed(page: string): string {
  return page
    .split('\n')
    .flatMap((line) => (line.startsWith('|') ? [line] : broken(line)))
    .join('\n');
}

function broken(line: string): string[] {
  const lines: string[] = [];
  let rest = line;
  while (rest.length > WIDTH) {
    const at = rest.lastIndexOf(' ', WIDTH);
    if (at <= 2) break;
    lines.push(rest.slice(0, at));
    rest = `${line.startsWith('- ') ? '  ' : ''}${rest.slice(at + 1)}`;
  }
  return [...lines, rest];
}

function intro(
  results: readonly SurveyedResult[],
  { command, node, seconds, workers }: SurveyRun,
): string {
  const days = [...new Set(results.map(({ doneAt }) => doneAt))].sort();
  return [
    `\`${command}\` wrote this page (${days.join(', ')}, Node ${node}).`,
    'It installed each store in the version that stands here and set it as its own documentation',
    'says that it is strongest.',
    `Each part had ${seconds} seconds per store, with ${workers} ${workers === 1 ? 'store' : 'stores'} at a time.`,
  ].join(' ');
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
  'loses nothing of the page cache, so these two say nothing of power cuts. Images are distinct',
  'directories that a power cut may leave, each opened once: `ext4` is a journal in ordered mode, and',
  'under `posix` nothing is ordered but by syncs, so that what stands under `posix` alone is found by',
  'the stricter model only. A store that promises nothing of power cuts is shown in brackets: what was',
  'seen there is no broken promise. The counts of syncs are a second look, which shares nothing with',
  'the images but the workload. strace took them in a run without a crash: how many writes or syncs the',
  'store acknowledged as surviving a power cut; of these, how many were acknowledged without any sync',
  'call that returned since the last write had begun; and all calls of fsync, fdatasync, msync,',
  'sync_file_range and syncfs, those of opening and closing included. Files were not opened with O_SYNC',
  'or O_DSYNC unless it says so.',
  '',
  `Fewer than ${LEAST_KILLS} kills, ${LEAST_FAULTS} faults or ${LEAST_IMAGES} images are inconclusive, and marked so.`,
].join('\n');

function row(result: SurveyedResult): string {
  const { store, trouble, subject, workload, kills, cuts, faults, syncs } = result;
  const versions = Object.values(store.packages).join(' on ') || 'this repository';
  const head = `| ${store.name} | ${versions}`;
  if (subject === undefined) return `${head} | ${oneLine(trouble ?? '')} | | | | | | | | |`;
  const count = (value: number | undefined, least: number) =>
    `${value ?? 0}${(value ?? 0) < least ? ' (inconclusive)' : ''}`;
  const found = (part: { readonly findings: readonly StoreFinding[] } | undefined) =>
    part?.findings.length ?? 0;
  const under = (model: string) =>
    promisesPower(result)
      ? String(cuts?.findings.filter(({ message }) => message.startsWith(`[${model}]`)).length ?? 0)
      : `not promised (${cuts?.findings.filter(({ message }) => message.startsWith(`[${model}]`)).length ?? 0})`;
  const cells = [
    `[${describeContract(subject.contract)}](${store.promise})`,
    workload?.steps ?? 0,
    count(kills?.kills, LEAST_KILLS),
    count(faults?.met, LEAST_FAULTS),
    cuts === undefined || cuts.skipped !== undefined || cuts.notes.length > 0
      ? `${cuts?.opened ?? 0} (see below)`
      : count(cuts.opened, LEAST_IMAGES),
    promisesPower(result)
      ? `${syncs?.promised}, ${syncs?.withoutSync ?? 'O_SYNC'}, ${syncs?.systemCalls}`
      : `nothing promised, ${syncs?.systemCalls}`,
    `${found(workload)}, ${found(kills)}, ${found(faults)}`,
    under('ext4'),
    under('posix'),
  ];
  return `${head} | ${cells.join(' | ')} |`;
}

function promisesPower({ subject }: SurveyedResult): boolean {
  return subject?.contract.put === 'power' || subject?.contract.sync === 'power';
}

/** It acknowledged durable writes, and had asked the kernel for none. */
export function lacksSyncs(syncs: SurveyedResult['syncs']): boolean {
  return syncs !== undefined && syncs.promised > 0 && (syncs.withoutSync ?? 0) > 0;
}

function findingsOf({
  workload,
  kills,
  faults,
  cuts,
}: SurveyedResult): (readonly [string, StoreFinding])[] {
  return [
    ...(workload?.findings ?? []).map((finding) => ['without a crash', finding] as const),
    ...(kills?.findings ?? []).map((finding) => ['kill', finding] as const),
    ...(faults?.findings ?? []).map((finding) => ['fault', finding] as const),
    ...(cuts?.findings ?? []).map((finding) => ['power cut', finding] as const),
  ];
}

function story(result: SurveyedResult): string[] {
  const { store, subject, syncs } = result;
  const found = findingsOf(result);
  const lines = found.map(
    ([part, { promise, message }]) =>
      `- ${part}, \`${promise}\`${part === 'power cut' && !promisesPower(result) ? ' (seen, and nobody promised otherwise)' : ''}: ${oneLine(message)}`,
  );
  if (lacksSyncs(syncs))
    lines.push(
      `- the count of syncs: ${syncs?.withoutSync} of ${syncs?.promised} acknowledgements as surviving a power cut came without any sync call since the write had begun.`,
    );
  for (const note of result.cuts?.notes ?? []) lines.push(`- power cuts: ${oneLine(note)}`);
  const refusals = subject?.refusals ?? [];
  const { notes = [] } = store;
  if (lines.length === 0 && refusals.length === 0 && notes.length === 0) return [];
  return [
    `### ${store.name}`,
    '',
    `Set: ${store.setting}.`,
    ...(refusals.length === 0 ? [] : [`It does not take: ${refusals.map(oneLine).join('; ')}.`]),
    ...notes,
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
