import { closeSync, fsyncSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';
import type { CampaignFile } from './campaign-schema.ts';
import { digestOf } from './unit.ts';

export const UNITS_FILE = 'units.jsonl';

/** The first line of `units.jsonl`: whose units these are. */
export interface UnitsHeader {
  readonly kind: 'tidemark-units';
  readonly campaign: string;
  readonly build: string;
  readonly node: number;
}

export interface FoundByUnit {
  readonly invariant: string;
  readonly message: string;
  readonly steps: readonly string[];
  readonly command: string;
  /** Where it was kept, below the blob. */
  readonly kept: string;
}

/** Every other line: one finished unit. */
export interface UnitLine {
  readonly part: string;
  readonly unit: number;
  readonly status: 'held' | 'broken' | 'skipped';
  readonly counts: Readonly<Record<string, number>>;
  readonly measured: Readonly<Record<string, number>>;
  readonly digest: string;
  readonly ms: number;
  /** Of the processor, in the process that ran it. */
  readonly cpuMs: number;
  readonly skipped?: string;
  readonly findings: readonly FoundByUnit[];
}

/** A line says that it is not as it was written, or is none at all. */
export class ChangedLine extends Error {}

export function headerOf({ id, build, node }: CampaignFile): UnitsHeader {
  return { kind: 'tidemark-units', campaign: id, build, node };
}

export interface ReadUnits {
  /** Undefined when not even the first line is whole. */
  readonly header: UnitsHeader | undefined;
  readonly lines: readonly UnitLine[];
  /** Bytes of whole lines. Behind them stands at most one that was not finished. */
  readonly wholeBytes: number;
}

/** Throws `ChangedLine`. A line without an end was never finished, and is left out. */
export function readUnits(path: string): ReadUnits {
  const text = readFileSync(path, 'utf8');
  const whole = text.slice(0, text.lastIndexOf('\n') + 1);
  const [first, ...rest] = whole
    .split('\n')
    .slice(0, -1)
    .map((line, at) => parseLine(line, `${path}:${at + 1}`));
  const header = first as UnitsHeader | undefined;
  if (header !== undefined && header.kind !== 'tidemark-units')
    throw new ChangedLine(`${path}:1: this is no list of units`);
  return { header, lines: rest as UnitLine[], wholeBytes: Buffer.byteLength(whole) };
}

function parseLine(line: string, where: string): unknown {
  let parsed: { readonly check?: unknown };
  try {
    parsed = JSON.parse(line);
  } catch {
    throw new ChangedLine(`${where}: the line is damaged`);
  }
  const { check, ...rest } = parsed;
  if (check !== checkOf(rest)) throw new ChangedLine(`${where}: the line was changed`);
  return rest;
}

function checkOf(value: object): string {
  return digestOf(JSON.stringify(value)).slice(0, 16);
}

/** Appends to `units.jsonl`. A line that is there was synced. */
export class UnitLog {
  private readonly descriptor: number;

  /** Goes on behind the whole lines of `known`, or begins anew. */
  constructor(path: string, header: UnitsHeader, known: ReadUnits | undefined) {
    this.descriptor = openSync(path, known === undefined ? 'w' : 'r+');
    ftruncateSync(this.descriptor, known?.header === undefined ? 0 : known.wholeBytes);
    this.position = known?.header === undefined ? 0 : known.wholeBytes;
    if (this.position === 0) this.write(header);
  }

  private position: number;

  append(line: UnitLine): void {
    this.write(line);
  }

  close(): void {
    closeSync(this.descriptor);
  }

  private write(value: object): void {
    const bytes = Buffer.from(`${JSON.stringify({ ...value, check: checkOf(value) })}\n`);
    for (let at = 0; at < bytes.length; )
      at += writeSync(this.descriptor, bytes, at, bytes.length - at, this.position + at);
    this.position += bytes.length;
    fsyncSync(this.descriptor);
  }
}
