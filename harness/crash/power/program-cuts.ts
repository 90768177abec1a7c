import { spawn } from 'node:child_process';
import { cpSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { DiskImage } from '../../file-systems/disk-image.ts';
import { type CutCounts, noCutCounts, searchCuts } from '../cuts/cut-search.ts';
import type { CutSubject, CutVerdict, Moment } from '../cuts/cut-subject.ts';
import {
  ageDirectory,
  recordProgram,
  scratchDirectory,
  whyNoRecording,
  writeDirectory,
} from '../recording/record-program.ts';
import { shrinkCut } from '../story/cut-shrink.ts';
import { missingSyncs } from '../story/missing-sync.ts';
import { tellStory } from '../story/story.ts';

export interface ProgramCutsOptions {
  /** Where the program keeps its data; made anew, and removed when it was recorded. Absolute. */
  readonly dataDirectory: string;
  /** A shell command; see `PROGRAM_PROMISES`. */
  readonly check: string;
  readonly workload: readonly string[];
  readonly cwd: string;
  /** The place for the directories of findings. */
  readonly directory: string;
  readonly seed: number;
  readonly seconds: number;
  readonly signal?: AbortSignal;
  /** Finds it again. */
  readonly reproduce: string;
  readonly onProgress?: (opened: number) => void;
}

export interface ProgramFinding {
  readonly promise: string;
  readonly message: string;
  readonly story: readonly string[];
  readonly directory: string;
  readonly reproduce: string;
}

export interface ProgramCutsReport {
  readonly skipped: string | undefined;
  /** Why the record says nothing, in sentences. */
  readonly notes: readonly string[];
  readonly counts: CutCounts;
  readonly lines: number;
  readonly opened: number;
  readonly searchedMs: number;
  readonly findings: readonly ProgramFinding[];
}

export const PROGRAM_PROMISES = {
  check: 'the check exits with 0 on what a power cut leaves, given the lines printed before it',
} as const;

const FATES_A_MOMENT = 24;
const RECORD_MS = 60_000;
const CHECK_MS = 20_000;
const SHRINK_MS = 20_000;

/** Runs a program once under strace, and its check on what a power cut would leave of it. */
export async function runProgramCuts(options: ProgramCutsOptions): Promise<ProgramCutsReport> {
  const counts = noCutCounts();
  const nothing = { counts, lines: 0, opened: 0, searchedMs: 0, findings: [] };
  const skipped = whyNoRecording();
  if (skipped !== undefined) return { ...nothing, skipped, notes: [] };
  const { dataDirectory, workload, cwd, seed, seconds, signal } = options;
  const record = await recordProgram({
    command: workload,
    directory: dataDirectory,
    cwd,
    timeoutMs: RECORD_MS,
    ...(signal === undefined ? {} : { signal }),
  });
  rmSync(dataDirectory, { recursive: true, force: true });
  const { recording, exitStatus, isLate, errors } = record;
  const notes = [
    ...recording.mapped.map((path) => `${path.slice(1)} is written through a shared memory map`),
    ...recording.troubles,
    ...(isLate ? [`the workload did not end within ${RECORD_MS / 1000} s`] : []),
    ...(exitStatus === 0 ? [] : [`the workload ended with ${exitStatus}: ${errors}`]),
    ...(recording.events.length === 0 ? ['the workload changed nothing in its directory'] : []),
  ];
  if (notes.length > 0) return { ...nothing, skipped, notes };
  const subject = new ProgramSubject(options);
  const findings: ProgramFinding[] = [];
  const startMs = performance.now();
  const isOver = () => (signal?.aborted ?? false) || performance.now() - startMs > seconds * 1000;
  // One finding per model: what ext4 allows is worse than what only posix allows.
  const found = new Set<string>();
  try {
    for await (const finding of searchCuts({
      recording,
      subject,
      seed,
      fatesAMoment: FATES_A_MOMENT,
      counts,
      isOver: () => isOver() || found.size > 0,
    })) {
      if (found.size > 0) break;
      found.add(finding.model);
      const endMs = performance.now() + SHRINK_MS;
      const hasTime = () => performance.now() < endMs && !signal?.aborted;
      const small = await shrinkCut(finding, recording, subject, hasTime);
      const syncs = await missingSyncs(small, recording, subject, seed, hasTime);
      const story = tellStory(small, recording, subject, syncs);
      const directory = join(options.directory, `cut-${findings.length + 1}`);
      mkdirSync(options.directory, { recursive: true });
      subject.keep(small.image, directory);
      findings.push({
        promise: 'check',
        message: `[${small.model}] ${story.text}`,
        story: story.details,
        directory,
        reproduce: options.reproduce,
      });
    }
  } finally {
    subject.end();
  }
  const searchedMs = performance.now() - startMs;
  const { opened } = subject;
  return { skipped, notes, counts, lines: recording.marks.length, opened, searchedMs, findings };
}

/** The images of a program, judged by its check. */
class ProgramSubject implements CutSubject {
  opened = 0;
  private readonly options: ProgramCutsOptions;
  private readonly scratch = scratchDirectory();
  private readonly verdicts = new Map<string, Promise<CutVerdict | undefined>>();

  constructor(options: ProgramCutsOptions) {
    this.options = options;
  }

  judge(image: DiskImage, digest: string, moment: Moment): Promise<CutVerdict | undefined> {
    const lines = linesBefore(moment);
    const key = `${lines.length} ${digest}`;
    let verdict = this.verdicts.get(key);
    if (verdict === undefined) {
      verdict = this.check(image, lines);
      this.verdicts.set(key, verdict);
    }
    return verdict;
  }

  acknowledged(moment: Moment) {
    const { marks } = moment.recording;
    const last = marks[linesBefore(moment).length - 1];
    return (
      last && { text: `The program had printed ${JSON.stringify(last.text)}`, call: last.call }
    );
  }

  keep(image: DiskImage, to: string): void {
    const written = join(this.scratch, 'kept');
    writeDirectory(image, written);
    cpSync(written, to, { recursive: true });
  }

  end(): void {
    rmSync(this.scratch, { recursive: true, force: true });
  }

  private async check(image: DiskImage, lines: readonly string[]): Promise<CutVerdict | undefined> {
    const directory = join(this.scratch, String(this.opened++));
    this.options.onProgress?.(this.opened);
    writeDirectory(image, directory);
    ageDirectory(image, directory);
    const { check, cwd } = this.options;
    const child = spawn('sh', ['-c', `${check} "$1"`, 'check', directory], {
      cwd,
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const kill = () => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
      } catch {
        // It is gone.
      }
    };
    let said = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk) => {
        said = (said + chunk).slice(-2000);
      });
    // A check need not read them.
    child.stdin.on('error', () => {});
    child.stdin.end(lines.map((line) => `${line}\n`).join(''));
    let isLate = false;
    const late = setTimeout(() => {
      isLate = true;
      kill();
    }, CHECK_MS);
    const status = await new Promise<number | null>((resolve) => child.once('close', resolve));
    clearTimeout(late);
    kill();
    rmSync(directory, { recursive: true, force: true });
    if (status === 0) return undefined;
    const how = isLate ? `does not end within ${CHECK_MS / 1000} s` : `ends with ${status}`;
    const spoken = said.trim().split('\n');
    // A stack follows the message in most languages, and comes before it in some.
    const words = spoken.find((line) => /error/i.test(line)) ?? spoken.at(-1) ?? '';
    return { promise: 'check', message: `the check ${how}${words === '' ? '' : `: ${words}`}` };
  }
}

function linesBefore({ recording, at }: Moment): string[] {
  return recording.marks.filter((mark) => mark.at <= at).map(({ text }) => text);
}
