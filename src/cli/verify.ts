import type { Command } from 'commander';
import type { VerifyDamage, VerifyFault, VerifyReport } from '../engine/index.ts';
import { addDirectory, addJson, type JsonFlags, positiveNumber } from './common-options.ts';
import { ExitCode } from './exit-code.ts';
import { repeatedly, withReader } from './opening.ts';
import { Output } from './output.ts';
import { placeName } from './place.ts';
import { counted, printable, SHOWN_BYTES } from './printable.ts';
import { Progress, sizeText } from './progress.ts';
import { base64 } from './record-lines.ts';

const SHOWN_KEYS = 5;

export function define(command: Command): void {
  addJson(addDirectory(command))
    .option('--bytes-per-second <n>', 'read no faster than this', positiveNumber)
    .addHelpText(
      'after',
      `
Reads every frame, and holds seal files and keydir against them; goes on behind damage, and names the live keys that it
hit. An opening that refuses the store ends it: salvage lists such damage. Exit status 0: sound; 2: only seal files are
damaged, which repair-seals rebuilds; 3: damage.`,
    )
    .action(
      async (
        directory: string,
        { json, bytesPerSecond }: JsonFlags & { bytesPerSecond?: number },
      ) => {
        const report = await verifyStore(directory, bytesPerSecond);
        const output = new Output();
        for (const damage of report.damages) {
          if (json) output.json('damage', damageJson(damage));
          else output.line(damageText(damage));
        }
        const { damages: _, durationNs, ...totals } = report;
        if (json) output.json('verify', { ...totals, durationMs: durationNs / 1e6 });
        else output.line(summary(report));
        process.exitCode = exitCodeOfReport(report);
        await output.flush();
      },
    );
}

export function verifyStore(directory: string, bytesPerSecond?: number): Promise<VerifyReport> {
  const progress = new Progress('verifying');
  const options = {
    onProgress: progress.update,
    ...(bytesPerSecond === undefined ? {} : { bytesPerSecond }),
  };
  return repeatedly(() => withReader(directory, (reader) => reader.verify(options))).finally(() =>
    progress.end(),
  );
}

/** Such a seal file loses nothing: openings read the segment, and write another. */
const ONLY_SEALS: ReadonlySet<VerifyFault> = new Set<VerifyFault>(['damaged-seal', 'foreign-seal']);

export function exitCodeOfReport({ damages, damageCount }: VerifyReport): ExitCode {
  if (damageCount === 0) return ExitCode.success;
  const isOnlySeals =
    damageCount === damages.length && damages.every(({ what }) => ONLY_SEALS.has(what));
  return isOnlySeals ? ExitCode.recoverable : ExitCode.corruption;
}

export function damageText({
  what,
  byteLength,
  liveKeyCount,
  liveKeys,
  ...place
}: VerifyDamage): string {
  const where = ONLY_SEALS.has(what)
    ? `of segment ${place.segmentId}`
    : `${byteLength} bytes at ${placeName(place)}`;
  if (liveKeyCount === 0) return `${what}: ${where}`;
  const keys = liveKeys.slice(0, SHOWN_KEYS).map((key) => printable(key, SHOWN_BYTES));
  const more = liveKeyCount > keys.length ? ', ...' : '';
  return `${what}: ${where}; live keys hit: ${liveKeyCount} (${keys.join(', ')}${more})`;
}

function damageJson({ what, byteLength, liveKeyCount, liveKeys, ...place }: VerifyDamage) {
  return {
    what,
    segment: place.segmentId,
    offset: place.offset,
    bytes: byteLength,
    liveKeyCount,
    liveKeys_b64: liveKeys.map(base64),
  };
}

function summary({
  records,
  segments,
  seals,
  scannedBytes,
  damageCount,
  durationNs,
}: VerifyReport): string {
  const rate = sizeText(Math.round((scannedBytes / durationNs) * 1e9));
  const found = damageCount === 0 ? 'no damage' : `damages: ${damageCount}`;
  return `${counted(records, 'record')} in ${counted(segments, 'segment')}, ${counted(seals, 'seal file')}, ${sizeText(scannedBytes)} at ${rate}/s: ${found}`;
}
