import { formatBytes, formatCount, formatDuration } from '../../units.ts';
import { describeHeapDiagnosis } from '../run/heap-diagnosis.ts';
import type { RunTotals } from '../run/ledger.ts';
import { shown } from './directories.ts';
import type { Summary } from './summary.ts';

const VERDICTS: Readonly<Record<Summary['verdict'], string>> = {
  pass: 'PASS',
  broken: 'BROKEN',
  inconclusive: 'INCONCLUSIVE',
  threshold: 'THRESHOLD CROSSED',
  interrupted: 'INTERRUPTED',
};

type Row = readonly [name: string, text: string];

/** The summary as a person reads it. `written` names the files. */
export function describeSummary(summary: Summary, written: readonly string[]): string {
  const rows: Row[] = [
    ...(summary.totals === null ? [] : describeWork(summary, summary.totals)),
    ...describeProcess(summary),
    ...(summary.latencyCoverage === null ? [] : [['timed', summary.latencyCoverage] as const]),
    ...describeSpans(summary),
    ...(summary.heap === null
      ? []
      : describeHeapDiagnosis(summary.heap).map((line) => ['heap', line] as const)),
    ['repeat', summary.command],
    ...(summary.storeDirectory === null
      ? []
      : [['store', `kept in ${shown(summary.storeDirectory)}`] as const]),
    ['report', written.join(', ')],
  ];
  return [
    `${VERDICTS[summary.verdict]}: ${summary.reason}`,
    ...listViolations(summary),
    ...rows.map(([name, text]) => `  ${name.padEnd(12)}${text}`),
  ].join('\n');
}

function describeWork(summary: Summary, totals: RunTotals): Row[] {
  const kills = summary.events.filter(({ kind }) => kind === 'kill').length;
  const rate = formatBytes(summary.userBytesPerSecond ?? 0);
  const { fileSystem } = summary.host;
  const where = fileSystem === 'tmpfs' ? 'tmpfs, where a sync costs nothing' : fileSystem;
  return [
    [
      'written',
      `${formatBytes(totals.bytesWritten)} in ${formatDuration(summary.durationMs)}: ${rate}/s, everything below included, on ${where}`,
    ],
    [
      'operations',
      list(
        counted(totals.puts, 'put'),
        counted(totals.deletes, 'delete'),
        counted(totals.reads, 'read'),
        counted(totals.syncs, 'sync'),
      ),
    ],
    [
      'events',
      list(
        counted(totals.reopens, 'reopen'),
        counted(totals.compacts, 'compaction'),
        counted(totals.rotates, 'rotation'),
        ...(kills === 0 ? [] : [counted(kills, 'kill')]),
      ),
    ],
    [
      'checked',
      `${counted(summary.data.keyCount, 'key')} in ${counted(totals.keysChecked, 'comparison')}, besides the reads`,
    ],
  ];
}

function describeProcess({ peakRssBytes, descriptors, gates }: Summary): Row[] {
  const { least, most, closedBefore, closedAfter } = descriptors;
  const judged = gates.filter(({ verdict }) => verdict !== 'skipped');
  const passed = judged.filter(({ verdict }) => verdict === 'passed');
  const others = judged
    .filter(({ verdict, excused }) => verdict !== 'passed' || excused === true)
    .map(({ verdict, name, detail }) => `${verdict}: ${name} (${detail})`);
  return [
    ['peak RSS', peakRssBytes === null ? 'unknown' : formatBytes(peakRssBytes)],
    ...(closedBefore === null
      ? []
      : [
          [
            'descriptors',
            `${least} to ${most}; with the store closed ${closedBefore} at first, ${closedAfter} at last`,
          ] as const,
        ]),
    ...(gates.length === 0
      ? []
      : [['gates', list(`${passed.length} of ${judged.length} passed`, ...others)] as const]),
  ];
}

function describeSpans({ spans }: Summary): Row[] {
  if (spans === null) return [];
  const total = (disposition: 'emitted' | 'unsampled' | 'budget') =>
    Object.values(spans.counts).reduce((sum, counts) => sum + counts[disposition], 0);
  const suppressed = total('unsampled') + total('budget');
  return [
    [
      'spans',
      list(
        `${formatCount(total('emitted'))} emitted`,
        `${formatCount(suppressed)} suppressed`,
        `${formatCount(spans.dropped)} dropped on the way`,
      ),
    ],
  ];
}

function listViolations({ outcome }: Summary): string[] {
  if (outcome?.kind !== 'violated') return [];
  const lines = outcome.violations.map(
    ({ kind, key, detail }) => `  ${kind.padEnd(12)}${key} ${detail}`,
  );
  const unlisted = outcome.count - outcome.violations.length;
  return unlisted > 0 ? [...lines, `  … and ${formatCount(unlisted)} more`] : lines;
}

function counted(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? '' : 's'}`;
}

function list(...parts: string[]): string {
  return parts.join(', ');
}
