import { setTimeout as delay } from 'node:timers/promises';
import type { Command } from 'commander';
import { type StoreSurvey, surveyStore } from '../engine/index.ts';
import { addDirectory, addJson, type JsonFlags } from './common-options.ts';
import { type FileOnDisk, filesIn } from './directory-view.ts';
import { ExitCode, exitCodeOf } from './exit-code.ts';
import { repeatedly } from './opening.ts';
import { Output } from './output.ts';
import { placeName, segmentFile } from './place.ts';
import { counted, printable } from './printable.ts';
import { reportOpening } from './report.ts';
import { damageText, exitCodeOfReport, verifyStore } from './verify.ts';

/** The outcomes from the best to the worst. The worst is the verdict. */
const OUTCOMES = ['ok', 'note', 'recoverable', 'corruption'] as const;

export interface Finding {
  readonly check:
    | 'directory'
    | 'opening'
    | 'seals'
    | 'contents'
    | 'runtime'
    | 'checksum'
    | 'lock'
    | 'disk';
  readonly outcome: (typeof OUTCOMES)[number];
  readonly detail: string;
}

const EXIT_CODES = {
  ok: ExitCode.success,
  note: ExitCode.success,
  recoverable: ExitCode.recoverable,
  corruption: ExitCode.corruption,
};
const VERDICTS = {
  ok: 'sound',
  note: 'sound',
  recoverable: 'recoverable: nothing that was durable is lost',
  corruption: 'corrupt',
};

export function define(command: Command): void {
  addJson(addDirectory(command))
    .addHelpText(
      'after',
      `
Reads every byte of the log and checks names, checksums, txids, the durable mark, the seal files and the order of the
segments. Exit status 0: sound; 2: a torn tail, or a seal file is missing or damaged; 3: corruption.`,
    )
    .action(async (directory: string, { json }: JsonFlags) => {
      await tellFindings(await checkStore(directory), json === true);
    });
}

/** One line for each, and the verdict, which is the worst of them. */
export async function tellFindings(findings: readonly Finding[], json: boolean): Promise<void> {
  const worst = findings.reduce(
    (most, { outcome }) => Math.max(most, OUTCOMES.indexOf(outcome)),
    0,
  );
  const outcome = OUTCOMES[worst] as Finding['outcome'];
  const output = new Output();
  for (const finding of findings) {
    if (json) output.json('finding', { ...finding });
    else output.line(`${finding.outcome.padEnd(12)} ${finding.check.padEnd(10)} ${finding.detail}`);
  }
  if (json) output.json('verdict', { verdict: outcome === 'note' ? 'ok' : outcome });
  else output.line(`verdict: ${VERDICTS[outcome]}`);
  process.exitCode = EXIT_CODES[outcome];
  await output.flush();
}

export async function checkStore(directory: string): Promise<Finding[]> {
  // First, so that a directory that is not there is told as everywhere else.
  const opening = await checkOpening(directory);
  const survey = await repeatedly(() => surveyStore(directory));
  const isSound = opening.outcome !== 'corruption';
  const seals = isSound ? await checkSeals(directory, survey) : [];
  const contents = isSound ? await checkContents(directory) : [];
  return [...checkDirectory(filesIn(directory), survey), opening, ...seals, ...contents];
}

async function checkOpening(directory: string): Promise<Finding> {
  try {
    const { keys, keptBytes, tail } = await reportOpening(directory, false);
    if (tail !== null) {
      const place = placeName({ segmentId: tail.segment, offset: tail.offset });
      const detail = `${tail.bytes} bytes behind the end of the valid log, at ${place} (${tail.damage}); the next opening for writing moves them to quarantine/`;
      return { check: 'opening', outcome: 'recoverable', detail };
    }
    return {
      check: 'opening',
      outcome: 'ok',
      detail: `${counted(keys, 'key')} in ${counted(keptBytes, 'byte')}`,
    };
  } catch (error) {
    if (exitCodeOf(error) !== ExitCode.corruption) throw error;
    return { check: 'opening', outcome: 'corruption', detail: (error as Error).message };
  }
}

const SHOWN_DAMAGES = 20;
const SHOWN_NOTE_BYTES = 200;

async function checkContents(directory: string): Promise<Finding[]> {
  const report = await verifyStore(directory);
  const { records, scannedBytes, seals, damages, damageCount } = report;
  if (damageCount === 0) {
    const detail = `${counted(records, 'record')} and ${counted(seals, 'seal file')}, ${counted(scannedBytes, 'byte')} read and checked`;
    return [{ check: 'contents', outcome: 'ok', detail }];
  }
  const outcome = exitCodeOfReport(report) === ExitCode.recoverable ? 'recoverable' : 'corruption';
  const shown = damages.slice(0, SHOWN_DAMAGES).map((damage) => damageText(damage));
  if (damageCount > shown.length)
    shown.push(`${damageCount - shown.length} damages more: tidemark verify lists them`);
  return shown.map((detail) => ({ check: 'contents', outcome, detail }));
}

/** Names that a store has, its own leftovers of a crash included. */
const KNOWN = /^(?:\d{8}\.(?:dwal|seal|merge)|durable-mark|\.lock|quarantine)$/;
const LEFTOVER = /^(?:\d{8}\.(?:seal\.tmp|merge\.tmp|merge-tmp)|.*\.backup-tmp)$/;
/** proper-lockfile's own, while a writer is at work. */
const LEASE = /^\.lock\.lock$/;

function* checkDirectory(
  files: readonly FileOnDisk[],
  { segments, contradictions, notes }: StoreSurvey,
): Generator<Finding> {
  const note = (detail: string): Finding => ({ check: 'directory', outcome: 'note', detail });
  let isPlain = true;
  for (const { name, kind } of files) {
    const shown = printable(Buffer.from(name), 80);
    if (kind === 'link' || kind === 'other') yield note(`${shown} is no plain file`);
    else if (LEFTOVER.test(name))
      yield note(`${shown} is unfinished: a writer is at work, or was killed`);
    else if (!KNOWN.test(name) && !LEASE.test(name)) yield note(`${shown} is not of the store`);
    else continue;
    isPlain = false;
  }
  for (const line of notes) yield note(printable(Buffer.from(line), SHOWN_NOTE_BYTES));
  for (const { segmentId, offset, damage, because } of contradictions) {
    const detail = `${damage} at ${placeName({ segmentId, offset })}: ${because}`;
    yield { check: 'directory', outcome: 'corruption', detail };
  }
  if (contradictions.length > 0 || notes.length > 0) return;
  if (isPlain)
    yield {
      check: 'directory',
      outcome: 'ok',
      detail: `${counted(segments.length, 'segment')}, no id missing`,
    };
}

/** How often a seal is looked for that a writer may be about to write, and after how long. */
const SEAL_LOOKS = 20;
const SEAL_LOOK_MS = 100;

/**
 * The active segment has none, and an empty one that a merge left needs none. Beside a writer a
 * segment waits for its seal for a moment.
 */
async function checkSeals(directory: string, survey: StoreSurvey): Promise<Finding[]> {
  const sealed = survey.segments.slice(0, -1).filter(({ sizeBytes }) => sizeBytes > 0);
  let missing = sealed.filter(({ hasSeal }) => !hasSeal);
  for (let looks = 1; missing.length > 0 && isLeased(directory) && looks < SEAL_LOOKS; looks++) {
    await delay(SEAL_LOOK_MS);
    const now = await repeatedly(() => surveyStore(directory));
    const without = now.segments.filter(({ sizeBytes, hasSeal }) => sizeBytes > 0 && !hasSeal);
    const ids = new Set(without.map(({ segmentId }) => segmentId));
    missing = missing.filter(({ segmentId }) => ids.has(segmentId));
  }
  if (missing.length === 0) {
    const detail =
      sealed.length === 0
        ? 'none is needed yet'
        : `${counted(sealed.length, 'sealed segment')}, each with its seal file`;
    return [{ check: 'seals', outcome: 'ok', detail }];
  }
  const names = missing.slice(0, 3).map(({ segmentId }) => segmentFile(segmentId));
  const more = missing.length > names.length ? ' and others' : '';
  const detail = `${missing.length} sealed segments have no valid seal file (${names.join(', ')}${more}); openings are slower: tidemark repair-seals`;
  return [{ check: 'seals', outcome: 'recoverable', detail }];
}

/** A writer holds a lease, or was killed with it. */
function isLeased(directory: string): boolean {
  return filesIn(directory).some(({ name }) => LEASE.test(name));
}
