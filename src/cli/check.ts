import type { Command } from 'commander';
import { addDirectory, addJson, type JsonFlags } from './common-options.ts';
import { type DirectoryView, viewDirectory } from './directory-view.ts';
import { ExitCode, exitCodeOf } from './exit-code.ts';
import { Output } from './output.ts';
import { placeName, segmentFile } from './place.ts';
import { counted, printable } from './printable.ts';
import { reportOpening } from './report.ts';
import { damageText, exitCodeOfReport, verifyStore } from './verify.ts';

/** From the best to the worst, which is the verdict. */
const OUTCOMES = ['ok', 'note', 'recoverable', 'corruption'] as const;

interface Finding {
  readonly check: 'directory' | 'opening' | 'seals' | 'contents';
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
      const findings = await check(directory);
      const worst = findings.reduce(
        (most, { outcome }) => Math.max(most, OUTCOMES.indexOf(outcome)),
        0,
      );
      const outcome = OUTCOMES[worst] as Finding['outcome'];
      const output = new Output();
      for (const finding of findings) {
        if (json) output.json('finding', { ...finding });
        else
          output.line(
            `${finding.outcome.padEnd(12)} ${finding.check.padEnd(10)} ${finding.detail}`,
          );
      }
      if (json) output.json('verdict', { verdict: outcome === 'note' ? 'ok' : outcome });
      else output.line(`verdict: ${VERDICTS[outcome]}`);
      process.exitCode = EXIT_CODES[outcome];
      await output.flush();
    });
}

async function check(directory: string): Promise<Finding[]> {
  // First, so that a directory that is not there is told as everywhere else.
  const opening = await checkOpening(directory);
  const view = viewDirectory(directory);
  const contents = opening.outcome === 'corruption' ? [] : await checkContents(directory);
  return [...checkDirectory(view), opening, ...checkSeals(view), ...contents];
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

function* checkDirectory({ files, segments }: DirectoryView): Generator<Finding> {
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
  const lowestId = segments[0]?.segmentId ?? 1;
  for (const [index, { segmentId }] of segments.entries()) {
    if (segmentId === lowestId + index) continue;
    const detail = `${segmentFile(lowestId + index)} is missing before ${segmentFile(segmentId)}`;
    yield { check: 'directory', outcome: 'corruption', detail };
    return;
  }
  if (isPlain)
    yield {
      check: 'directory',
      outcome: 'ok',
      detail: `${counted(segments.length, 'segment')}, no id missing`,
    };
}

/** The active segment has none, and an empty one that a merge left needs none. */
function* checkSeals({ segments }: DirectoryView): Generator<Finding> {
  const sealed = segments.slice(0, -1).filter(({ sizeBytes }) => sizeBytes > 0);
  const missing = sealed.filter(({ hasSeal }) => !hasSeal);
  if (missing.length === 0) {
    yield {
      check: 'seals',
      outcome: 'ok',
      detail:
        sealed.length === 0
          ? 'none is needed yet'
          : `${counted(sealed.length, 'sealed segment')}, each with its seal file`,
    };
    return;
  }
  const names = missing.slice(0, 3).map(({ segmentId }) => segmentFile(segmentId));
  const more = missing.length > names.length ? ' and others' : '';
  const detail = `${missing.length} sealed segments have no seal file (${names.join(', ')}${more}); openings are slower: tidemark repair-seals`;
  yield { check: 'seals', outcome: 'recoverable', detail };
}
