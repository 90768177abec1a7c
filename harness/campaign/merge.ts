import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { UsageError } from '../command-line.ts';
import { describeUnit, unitsOf } from './campaign-file.ts';
import type { CampaignFile } from './campaign-schema.ts';
import { keyOf, unitsByPart } from './run-shard.ts';
import { addFigures, digestOf, type UnitName } from './unit.ts';
import {
  ChangedLine,
  type FoundByUnit,
  type ReadUnits,
  readUnits,
  UNITS_FILE,
  type UnitLine,
} from './unit-lines.ts';

export interface MergedCampaign {
  readonly verdict: 'pass' | 'broken' | 'inconclusive';
  /** One sentence. */
  readonly reason: string;
  /** Stands for the digest of every unit that is there. */
  readonly digest: string;
  readonly blobs: number;
  readonly parts: Readonly<Record<string, MergedPart>>;
  readonly findings: readonly MergedFinding[];
  /** By part, as `--units` takes them. */
  readonly missing: Readonly<Record<string, string>>;
  readonly missingUnits: number;
  /** What is below its floor, one sentence each. */
  readonly tooLittle: readonly string[];
  /** Why units were skipped, with how many. */
  readonly skipped: Readonly<Record<string, number>>;
  /** Lines that came more than once and agreed. */
  readonly doubles: number;
}

export interface MergedPart {
  readonly planned: number;
  readonly done: number;
  readonly broken: number;
  readonly skipped: number;
  readonly counts: Readonly<Record<string, number>>;
  readonly measured: Readonly<Record<string, number>>;
  /** Sum over its units: the time of the clock, and of the processor. */
  readonly ms: number;
  readonly cpuMs: number;
  readonly slowestUnitMs: number;
  readonly digest: string;
}

/** What was found alike by any number of units. */
export interface MergedFinding {
  readonly part: string;
  readonly invariant: string;
  /** Of the first unit. */
  readonly message: string;
  readonly command: string;
  readonly steps: readonly string[];
  /** All units that found it. */
  readonly units: readonly number[];
  /** The directory that the first one kept, if it is there. */
  readonly kept: string | undefined;
}

/** A unit that came twice, and did not say the same. */
export const NOT_DETERMINISTIC = 'not deterministic';

/** Every blob below these directories. Throws `UsageError` where one cannot be believed. */
export function mergeBlobs(campaign: CampaignFile, directories: readonly string[]): MergedCampaign {
  const blobs = directories.flatMap(findBlobs);
  const planned = new Set(unitsOf(campaign).map(keyOf));
  const lines = new Map<string, UnitLine & { readonly blob: string }>();
  const contradictions = new Map<string, Found>();
  let doubles = 0;
  for (const path of blobs) {
    const blob = dirname(path);
    for (const line of readBlob(path, campaign)) {
      const key = keyOf(line);
      if (!planned.has(key))
        throw new UsageError(`${path}: the campaign has no unit ${line.part} ${line.unit}`);
      const known = lines.get(key);
      if (known === undefined) lines.set(key, { ...line, blob });
      // A machine on which it could not run says nothing against one on which it could.
      else if (known.status === 'skipped' && line.status !== 'skipped')
        lines.set(key, { ...line, blob });
      else if (known.digest === line.digest) doubles++;
      else if (line.status !== 'skipped')
        contradictions.set(key, contradiction(campaign, known, line));
    }
  }
  const all = unitsOf(campaign);
  const missing = all.filter((unit) => !lines.has(keyOf(unit)));
  const inOrder = all.flatMap((unit) => lines.get(keyOf(unit)) ?? []);
  const findings = bucketed([
    ...contradictions.values(),
    ...inOrder.flatMap(({ part, unit, blob, findings: found }) =>
      found.map((finding) => ({ part, unit, blob, finding })),
    ),
  ]);
  const parts = Object.fromEntries(
    Object.entries(campaign.parts).map(([name, { units }]) => [
      name,
      mergedPart(
        units,
        inOrder.filter(({ part }) => part === name),
      ),
    ]),
  );
  const tooLittle = floorsMissed(campaign, parts);
  const skipped: Record<string, number> = {};
  for (const { skipped: why } of inOrder)
    if (why !== undefined) skipped[why] = (skipped[why] ?? 0) + 1;
  return {
    ...judge(campaign, findings, missing, tooLittle, inOrder.length),
    digest: digestOf(inOrder.map(({ part, unit, digest }) => `${part} ${unit} ${digest}`).join()),
    blobs: blobs.length,
    parts,
    findings,
    missing: unitsByPart(missing),
    missingUnits: missing.length,
    tooLittle,
    skipped,
    doubles,
  };
}

function findBlobs(directory: string): string[] {
  if (!existsSync(directory)) throw new UsageError(`there is no directory ${directory}`);
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter((name) => name === UNITS_FILE || name.endsWith(`/${UNITS_FILE}`))
    .sort()
    .map((name) => join(directory, name));
}

function readBlob(path: string, campaign: CampaignFile): readonly UnitLine[] {
  let read: ReadUnits;
  try {
    read = readUnits(path);
  } catch (error) {
    if (error instanceof ChangedLine) throw new UsageError(error.message);
    throw error;
  }
  const { header, lines } = read;
  if (header === undefined) return [];
  if (header.build !== campaign.build || header.node !== campaign.node)
    throw new UsageError(`${path}: it was made by another build, or under another Node`);
  if (header.campaign !== campaign.id)
    throw new UsageError(`${path}: it belongs to another campaign`);
  return lines;
}

function mergedPart(planned: number, lines: readonly UnitLine[]): MergedPart {
  const counts: Record<string, number> = {};
  const measured: Record<string, number> = {};
  let ms = 0;
  let cpuMs = 0;
  for (const line of lines) {
    addFigures(counts, line.counts);
    addFigures(measured, line.measured);
    ms += line.ms;
    cpuMs += line.cpuMs;
  }
  return {
    planned,
    done: lines.length,
    broken: lines.filter(({ status }) => status === 'broken').length,
    skipped: lines.filter(({ status }) => status === 'skipped').length,
    counts,
    measured,
    ms,
    cpuMs,
    slowestUnitMs: lines.reduce((most, line) => Math.max(most, line.ms), 0),
    digest: digestOf(lines.map(({ unit, digest }) => `${unit} ${digest}`).join()),
  };
}

/** A part of which every unit was skipped is left to the others; it is told. */
function floorsMissed(
  { parts: planned }: CampaignFile,
  parts: Readonly<Record<string, MergedPart>>,
): string[] {
  return Object.entries(planned).flatMap(([name, { floors, units }]) => {
    const { counts, skipped } = parts[name] as MergedPart;
    if (units > 0 && skipped === units) return [];
    return Object.entries(floors).flatMap(([count, least]) => {
      const got = counts[count] ?? 0;
      return got >= least
        ? []
        : [`${name}: ${got} ${count} of at least ${least}, ${least - got} too few`];
    });
  });
}

interface Found {
  readonly part: string;
  readonly unit: number;
  readonly blob: string;
  readonly finding: FoundByUnit;
}

function contradiction(
  campaign: CampaignFile,
  one: UnitLine & { blob: string },
  other: UnitLine,
): Found {
  const { part, unit, blob } = one;
  const told = ({ status, counts, digest }: UnitLine) =>
    `${status} ${JSON.stringify(counts)} ${digest}`;
  return {
    part,
    unit,
    blob,
    finding: {
      invariant: NOT_DETERMINISTIC,
      message: `${describeUnit(campaign, one)} came twice and differs: ${told(one)} and ${told(other)}`,
      steps: [],
      command: `--campaign campaign.json --units ${part}:${unit}`,
      kept: '',
    },
  };
}

/** Alike are those of one part that broke the same, in the same kinds of steps and words. */
function bucketed(found: readonly Found[]): MergedFinding[] {
  const buckets = new Map<string, Found[]>();
  for (const one of found) {
    const { part, finding } = one;
    const key = JSON.stringify([
      part,
      finding.invariant,
      finding.steps,
      withoutNumbers(finding.message),
    ]);
    buckets.set(key, [...(buckets.get(key) ?? []), one]);
  }
  return [...buckets.values()].map((alike) => {
    const [{ part, blob, finding }] = alike as [Found, ...Found[]];
    const { invariant, message, command, steps, kept } = finding;
    return {
      part,
      invariant,
      message,
      command,
      steps,
      units: [...new Set(alike.map(({ unit }) => unit))],
      kept: kept === '' ? undefined : join(blob, kept),
    };
  });
}

export function withoutNumbers(message: string): string {
  return message.replace(/\b(?:0x)?[\da-f]*\d[\da-f]*\b/gi, '#').replace(/#+(?:[\s,.]*#)*/g, '#');
}

function judge(
  campaign: CampaignFile,
  findings: readonly MergedFinding[],
  missing: readonly UnitName[],
  tooLittle: readonly string[],
  done: number,
): Pick<MergedCampaign, 'verdict' | 'reason'> {
  const [first] = findings;
  if (first !== undefined) {
    const more = findings.length > 1 ? `, and ${findings.length - 1} more kinds` : '';
    const at = describeUnit(campaign, { part: first.part, unit: first.units[0] as number });
    return {
      verdict: 'broken',
      reason: `${first.invariant} (${at}${more}): ${first.message.split('\n', 1)[0]}`,
    };
  }
  if (missing.length > 0)
    return {
      verdict: 'inconclusive',
      reason: `${missing.length} of ${missing.length + done} units are missing`,
    };
  if (tooLittle.length > 0)
    return { verdict: 'inconclusive', reason: `it saw too little: ${tooLittle.join('; ')}` };
  return { verdict: 'pass', reason: `all ${done} units held` };
}
