import { formatCount } from '../../units.ts';
import { type CutFinding, diskAt } from '../cuts/cut-search.ts';
import type { CutSubject } from '../cuts/cut-subject.ts';
import type { Fate, PendingPiece } from '../disk/disk-model.ts';
import type { Recording } from '../recording/recording.ts';
import type { MissingSync } from './missing-sync.ts';
import { nameOf, pathsOf } from './paths.ts';

export interface Story {
  /** What happened, in a few sentences. */
  readonly text: string;
  /** The calls around it, and the files before and after. */
  readonly details: readonly string[];
}

/** Calls shown before and behind those that matter. */
const AROUND = 3;
const MOST_CALLS = 40;

export function tellStory(
  finding: CutFinding,
  recording: Recording,
  subject: CutSubject,
  syncs: readonly MissingSync[],
): Story {
  const { model, at, fates, verdict } = finding;
  const { pieces } = diskAt(recording, model, at);
  const lost = pieces.flatMap((piece, index) => {
    const fate = fates[index] as Fate;
    return fate === 'kept' ? [] : [{ piece, fate }];
  });
  const acknowledged = subject.acknowledged({ recording, at });
  const callOf = (event: number) => recording.events[event]?.call.number ?? recording.calls;
  const end =
    acknowledged === undefined ? `before call ${callOf(at)}` : `before ${acknowledged.call}`;
  const losses = lost.map(
    ({ piece, fate }) =>
      `${describeLoss(piece, fate, recording)} by call ${callOf(piece.at)} and never synced ${end}`,
  );
  const sentences = [
    acknowledged === undefined
      ? 'Nothing had been acknowledged as durable.'
      : `${acknowledged.text} at call ${acknowledged.call}.`,
    losses.length === 0
      ? `The power went before call ${callOf(at)}, and lost nothing that was unsynced.`
      : `The power cut lost ${losses.slice(0, 3).join('; and ')}${losses.length > 3 ? `; and ${losses.length - 3} more pieces` : ''}.`,
    adviceOf(syncs),
    `What is found then: ${verdict.message}.`,
  ];
  return {
    text: sentences.filter((sentence) => sentence !== '').join(' '),
    details: [
      `Model ${model}. The power goes before call ${callOf(at)}.`,
      '',
      'The calls around it (- lost, ~ torn):',
      ...callsAround(finding, recording, pieces, acknowledged?.call),
      '',
      'The files before the power cut, and after it:',
      ...filesOf(finding, recording),
    ],
  };
}

function describeLoss({ event, at }: PendingPiece, fate: Fate, recording: Recording): string {
  if (event.kind === 'write') {
    const name = nameOf(pathsOf(recording, at).get(event.inode) ?? '/a file without a name');
    const { length } = event.bytes;
    if (fate === 'lost' || fate === 'kept')
      return `${formatCount(length)} bytes of ${name} at ${formatCount(event.position)}, written`;
    const isFirst = fate.keepFrom > 0;
    const count = isFirst ? fate.keepFrom : length - fate.keepTo;
    return `the ${isFirst ? 'first' : 'last'} ${formatCount(count)} bytes of a write to ${name}, made`;
  }
  switch (event.kind) {
    case 'truncate':
      return `the new size (${formatCount(event.sizeBytes)} bytes) of ${nameOf(pathsOf(recording, at).get(event.inode) ?? '/a file')}, set`;
    case 'rename':
      return `the rename of ${nameOf(event.from)} to ${nameOf(event.to)}, made`;
    case 'create':
      return `the name ${nameOf(event.path)}, made`;
    case 'makeDirectory':
      return `the directory ${nameOf(event.path)}, made`;
    case 'remove':
    case 'removeDirectory':
      return `the removal of ${nameOf(event.path)}, made`;
  }
}

function adviceOf(syncs: readonly MissingSync[]): string {
  const enough = syncs.find(({ isEnough }) => isEnough);
  if (enough !== undefined)
    return `A sync of ${nameOf(enough.of)} between the calls ${enough.after} and ${enough.before} would have been enough.`;
  if (syncs.length === 0) return '';
  const names = [...new Set(syncs.map(({ of }) => nameOf(of)))];
  return `No single sync would have been enough; tried were those of ${names.join(', ')}.`;
}

function callsAround(
  { at, fates }: CutFinding,
  { events, marks }: Recording,
  pieces: readonly PendingPiece[],
  acknowledged: number | undefined,
): string[] {
  const fateOf = new Map(pieces.map((piece, index) => [piece.at, fates[index] as Fate]));
  const matters = [...fateOf].filter(([, fate]) => fate !== 'kept').map(([event]) => event);
  const from = Math.max(0, Math.min(at, ...matters) - AROUND);
  const to = Math.min(events.length, at + AROUND);
  const lines = events.slice(from, to).map(({ call }, index) => {
    const fate = fateOf.get(from + index);
    const sign = fate === undefined || fate === 'kept' ? ' ' : fate === 'lost' ? '-' : '~';
    return {
      call: call.number,
      text: `  ${sign} ${String(call.number).padStart(6)}  ${call.text}`,
    };
  });
  const first = lines[0]?.call ?? 0;
  const last = lines.at(-1)?.call ?? 0;
  for (const { call, text } of marks) {
    if (call < first || call > last + 50) continue;
    const sign = call === acknowledged ? '>' : ' ';
    lines.push({ call, text: `  ${sign} ${String(call).padStart(6)}  it says: ${text}` });
  }
  const cut = events[at]?.call.number ?? Number.POSITIVE_INFINITY;
  lines.push({ call: cut - 0.5, text: '            the power goes' });
  lines.sort((a, b) => a.call - b.call);
  const shown = lines.map(({ text }) => text);
  const left = shown.length - MOST_CALLS;
  if (left > 0) shown.splice(MOST_CALLS >>> 1, left, `    ... ${left} more`);
  return shown;
}

const SHOWN_BYTES = 24;

function filesOf({ model, at, image }: CutFinding, recording: Recording): string[] {
  const live = diskAt(recording, model, at).image(() => 'kept');
  const describe = (bytes: Buffer | undefined) => {
    if (bytes === undefined) return 'absent';
    const hex = bytes.subarray(0, SHOWN_BYTES).toString('hex');
    return `${formatCount(bytes.length)} bytes${bytes.length === 0 ? '' : ` ${hex}${bytes.length > SHOWN_BYTES ? '…' : ''}`}`;
  };
  return [...new Set([...live.files.keys(), ...image.files.keys()])].sort().map((path) => {
    const [before, after] = [live.files.get(path), image.files.get(path)];
    const same = before !== undefined && after?.equals(before);
    return `  ${path}: ${describe(before)}${same ? ', unchanged' : `  ->  ${describe(after)}`}`;
  });
}
