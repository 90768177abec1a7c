import {
  openReader,
  openStore,
  RecordType,
  type ScannedRecord,
  StoreError,
  type StoreOptions,
  type StoreReader,
  salvage,
  surveyStore,
} from '../../../src/engine/index.ts';
import type { MemoryFileSystem } from '../../file-systems/memory-file-system.ts';
import { type Invariant, InvariantBroken } from '../promises/invariants.ts';
import { differenceOf, type KnownRecord, type State, stateOf, stateOfPairs } from './log-course.ts';

/** What a directory must show. */
export interface Expected {
  /** Its words for what is found. */
  readonly what: string;
  readonly directory: string;
  /** Everything that was written into it, in order. */
  readonly records: readonly KnownRecord[];
  /** So many of them are durable: damage may not take them without a word. */
  readonly durable: number;
  /** What was ever put anywhere, by value; files of one store may have come into another. */
  readonly everything: ReadonlyMap<string, KnownRecord>;
}

/** Sidecars that count for nothing cost nothing. */
const HARMLESS: ReadonlySet<string> = new Set(['damaged-seal', 'foreign-seal']);
const SALVAGED = '/salvaged';

/**
 * Everything that reads a directory says the same of one that is sound: check, report, verify,
 * salvage and every opening. On a copy of the disk, as after the death of all processes.
 */
export async function judgeSound(disk: MemoryFileSystem, expected: Expected): Promise<void> {
  const { what, directory, records } = expected;
  const copy = disk.afterProcessDeath();
  const broken = (message: string) => new InvariantBroken('agree', `${what}: ${message}`);
  const survey = await surveyStore(directory, copy);
  if (survey.contradictions.length > 0)
    throw broken(`check finds contradictions: ${JSON.stringify(survey.contradictions)}`);
  const reader = await openReader(directory, { fileSystem: copy });
  expectState(stateOfPairs(reader.entries()), stateOf(records), 'I1', `${what}, to a reader`);
  expectKnown(reader.scan(), expected);
  const { damages } = await reader.verify();
  if (damages.length > 0) throw broken(`verify finds damage: ${JSON.stringify(damages)}`);
  const isUnfinished = reader.recoveryReport.outcome !== 'whole';
  await reader.close();
  const told = await judgeSalvage(copy, expected);
  if (told > 0 && !isUnfinished) throw broken('salvage tells of losses');
  const store = await openStore(directory, { fileSystem: copy });
  expectState(stateOfPairs(store.entries()), stateOf(records), 'I1', `${what}, to a writer`);
  const scrub = await store.verify();
  if (scrub.damages.length > 0)
    throw broken(`verify finds damage: ${JSON.stringify(scrub.damages)}`);
  await store.close();
  expectNothingOpen(copy, what);
}

/** What an opening came to. */
interface Opening {
  readonly code: string | undefined;
  readonly state: State;
  /** Keys whose values it refuses to give. */
  readonly refused: readonly string[];
  readonly damages: readonly string[];
}

/**
 * A damaged directory: whoever reads it either refuses, or shows what is true. All openings, check,
 * verify and salvage agree. Returns whether anybody noticed.
 */
export async function judgeDamaged(disk: MemoryFileSystem, expected: Expected): Promise<boolean> {
  const { what, directory } = expected;
  const broken = (message: string) => new InvariantBroken('agree', `${what}: ${message}`);
  const survey = await codeOf(() => surveyStore(directory, disk.afterProcessDeath()));
  const contradicts = (survey.value?.contradictions.length ?? 0) > 0;
  const openings: Record<string, Opening> = {};
  for (const open of ['full', 'seals'] as const) {
    openings[`a reader, ${open}`] = await readerOpening(disk, directory, open);
    openings[`a writer, ${open}`] = await writerOpening(disk, directory, open);
    const [reader, writer] = [openings[`a reader, ${open}`], openings[`a writer, ${open}`]];
    if (reader?.code !== writer?.code)
      throw broken(
        `a reader ends with ${reader?.code ?? 'a snapshot'}, a writer with ${writer?.code ?? 'a store'} (${open})`,
      );
  }
  for (const [who, opening] of Object.entries(openings)) {
    if (contradicts && opening.code !== 'STORE_CORRUPT')
      throw broken(
        `check finds ${JSON.stringify(survey.value?.contradictions)}, and ${who} ends with ${opening.code ?? 'no error'}`,
      );
    if (opening.code === undefined) expectTruth(opening, expected, who);
  }
  const [full, seals] = [openings['a reader, full'], openings['a reader, seals']];
  if (full?.code !== undefined && seals?.code === undefined && seals?.damages.length === 0)
    throw broken(`a full opening refuses with ${full.code}, and verify finds nothing`);
  if (full?.code === undefined && (seals?.damages.length ?? 0) > 0)
    throw broken(`verify finds ${seals?.damages}, and a full opening nothing`);
  const told = await judgeSalvage(disk.afterProcessDeath(), expected);
  return (
    told > 0 || Object.values(openings).some(({ code, damages }) => code ?? damages.length > 0)
  );
}

async function readerOpening(
  disk: MemoryFileSystem,
  directory: string,
  open: 'full' | 'seals',
): Promise<Opening> {
  const copy = disk.afterProcessDeath();
  const { value: reader, code } = await codeOf(() =>
    openReader(directory, { fileSystem: copy, open }),
  );
  const opening = reader === undefined ? refusal(code) : await lookInto(reader);
  await reader?.close();
  expectNothingOpen(copy, `a reader of ${directory}`);
  return opening;
}

async function writerOpening(
  disk: MemoryFileSystem,
  directory: string,
  open: 'full' | 'seals',
): Promise<Opening> {
  const copy = disk.afterProcessDeath();
  const options: StoreOptions = { fileSystem: copy, open };
  const { value: store, code } = await codeOf(() => openStore(directory, options));
  const opening = store === undefined ? refusal(code) : await lookInto(store);
  await store?.close();
  expectNothingOpen(copy, `a writer of ${directory}`);
  return opening;
}

const refusal = (code: string | undefined): Opening => ({
  code,
  state: new Map(),
  refused: [],
  damages: [],
});

async function lookInto(view: Pick<StoreReader, 'keys' | 'get' | 'verify'>): Promise<Opening> {
  const state = new Map<string, string>();
  const refused: string[] = [];
  for (const key of view.keys()) {
    const { value, code } = await codeOf(async () => view.get(key));
    if (code !== undefined) refused.push(String(key));
    else state.set(String(key), String(value));
  }
  const { damages } = await view.verify();
  const faults = damages.map((damage) => damage.what).filter((fault) => !HARMLESS.has(fault));
  return { code: undefined, state, refused, damages: faults };
}

/** What it shows is the state behind a prefix of the records, the durable ones included. */
function expectTruth(opening: Opening, { records, durable, what }: Expected, who: string): void {
  const state = new Map(stateOf(records.slice(0, durable)));
  let difference = differenceBut(opening, state);
  for (const { key, value } of records.slice(durable)) {
    if (difference === undefined) break;
    if (value === undefined) state.delete(key);
    else state.set(key, value);
    difference = differenceBut(opening, state);
  }
  if (difference !== undefined)
    throw new InvariantBroken('I5', `${what}, to ${who}: ${difference}`);
  if (opening.refused.length > 0 && opening.damages.length === 0)
    throw new InvariantBroken(
      'agree',
      `${what}, to ${who}: ${opening.refused} cannot be read, and verify finds nothing`,
    );
}

/** What cannot be read is not wrong. */
function differenceBut({ state, refused }: Opening, expected: State): string | undefined {
  const seen = new Map([...expected].filter(([key]) => !refused.includes(key)));
  const gone = refused.find((key) => !expected.has(key));
  return gone === undefined ? differenceOf(state, seen) : `${gone} is there, and unreadable`;
}

/**
 * What salvage keeps is right and in the order of history, and where the state differs from the
 * truth it has told of losses; where it names them, of those keys. Returns how many it tells of.
 */
export async function judgeSalvage(
  disk: MemoryFileSystem,
  { what, directory, records, durable, everything }: Expected,
): Promise<number> {
  const broken = (message: string) => new InvariantBroken('salvage', `${what}: ${message}`);
  const { value: report, code } = await codeOf(() =>
    salvage(directory, SALVAGED, { fileSystem: disk }),
  );
  if (report === undefined) {
    if (code === 'NOT_FOUND' && durable === 0) return 0;
    throw broken(`salvage ends with ${code}`);
  }
  const reader = await openReader(SALVAGED, { fileSystem: disk });
  const state = stateOfPairs(reader.entries());
  const kept = [...reader.scan()];
  await reader.close();
  if (kept.length !== report.recordsKept)
    throw broken(`salvage says that it kept ${report.recordsKept}, and ${kept.length} are there`);
  expectHistory(kept, everything, broken);
  for (const name of disk.list(SALVAGED)) disk.remove(`${SALVAGED}/${name}`);
  disk.removeDirectory(SALVAGED);
  const { lost, lostCount, missingSegmentCount, contradictions } = report;
  const told = lostCount + missingSegmentCount + contradictions.length;
  const expected = stateOf(records);
  const wrong = [...new Set([...expected.keys(), ...state.keys()])].filter(
    (key) => state.get(key) !== expected.get(key),
  );
  if (wrong.length === 0) return told;
  if (told === 0) {
    if (isPrefix(state, records, durable)) return 0;
    throw broken(`salvage tells of no loss, and ${differenceOf(state, expected)}`);
  }
  if (lostCount !== told) return told;
  const named = lost.flatMap(({ bySeal }) => bySeal?.records ?? []).map(({ key }) => String(key));
  const areAllNamed = lost.every(({ bySeal }) => bySeal?.recordCount === bySeal?.records.length);
  const isNamed = lost.every(({ bySeal }) => bySeal !== undefined) && areAllNamed;
  const unnamed = wrong.find((key) => !named.includes(key));
  if (isNamed && unnamed !== undefined)
    throw broken(`salvage names ${named} as lost, and not ${unnamed}, which is wrong`);
  return told;
}

function isPrefix(state: State, records: readonly KnownRecord[], least: number): boolean {
  for (let length = least; length <= records.length; length++)
    if (differenceOf(state, stateOf(records.slice(0, length))) === undefined) return true;
  return false;
}

/** Every record was written, and they come in the order in which they were. */
function expectHistory(
  kept: readonly ScannedRecord[],
  everything: ReadonlyMap<string, KnownRecord>,
  broken: (message: string) => Error,
): void {
  let lastTxid = 0;
  for (const { type, key, payload } of kept) {
    if (type !== RecordType.Put) continue;
    const known = everything.get(String(payload));
    if (known === undefined || known.key !== String(key))
      throw broken(`salvage keeps '${payload}' for ${key}, which was never written for it`);
    if (known.txid <= lastTxid)
      throw broken(`salvage keeps '${payload}' behind what was written later, or twice`);
    lastTxid = known.txid;
  }
}

/** Every record of a log is one that was written under its txid, each once, in order. */
export function expectKnown(scanned: Iterable<ScannedRecord>, expected: Expected): void {
  const byTxid = new Map(expected.records.map((record) => [record.txid, record]));
  let lastTxid = 0;
  for (const record of scanned) {
    const known = byTxid.get(record.txid);
    if (known === undefined || !isRecord(record, known) || record.txid <= lastTxid)
      throw new InvariantBroken(
        'I3',
        `${expected.what}: record ${record.txid} for ${record.key} behind ${lastTxid} is not what was written`,
      );
    lastTxid = record.txid;
  }
}

export function isRecord(scanned: ScannedRecord, known: KnownRecord): boolean {
  const value = scanned.type === RecordType.Put ? String(scanned.payload) : undefined;
  return scanned.txid === known.txid && String(scanned.key) === known.key && value === known.value;
}

export function expectState(
  found: State,
  expected: State,
  invariant: Invariant,
  what: string,
): void {
  const difference = differenceOf(found, expected);
  if (difference !== undefined) throw new InvariantBroken(invariant, `${what}: ${difference}`);
}

export function expectNothingOpen(disk: MemoryFileSystem, what: string): void {
  const { openDescriptorCount: count } = disk;
  if (count > 0) throw new InvariantBroken('I10', `${count} descriptors are open after ${what}`);
}

/** Anything but a `StoreError` is nobody's expectation. */
export async function codeOf<T>(work: () => Promise<T>): Promise<{
  readonly value: T | undefined;
  readonly code: string | undefined;
  readonly error: StoreError | undefined;
}> {
  try {
    return { value: await work(), code: undefined, error: undefined };
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    return { value: undefined, code: error.code, error };
  }
}
