import { join } from 'node:path';
import { decodeFrame } from '../../../src/engine/format/frame.ts';
import { openStore, type Store } from '../../../src/engine/index.ts';
import { MARK_FILE } from '../../../src/engine/lock/durable-mark.ts';
import { LOCK_FILE } from '../../../src/engine/lock/writer-lock.ts';
import { committedCorpus } from '../../corpus/corpus.ts';
import type { FixtureFiles } from '../../corpus/fixture.ts';
import { readFixture } from '../../corpus/fixture-files.ts';
import { MemoryFileSystem } from '../../file-systems/memory-file-system.ts';

export const ROT_DIRECTORY = '/store';

/** A store at rest, about to be damaged, and all that is known of it. */
export interface RotSubject {
  readonly name: string;
  readonly files: FixtureFiles;
  /** Its longest valid prefix, in log order. */
  readonly records: readonly RotRecord[];
  /** How many of them lie before the durable mark; 0 without one. */
  readonly durableRecords: number;
}

export interface RotRecord {
  readonly segmentId: number;
  readonly offset: number;
  readonly byteLength: number;
  /** Everything that the record says, so that equal text means an equal record. */
  readonly text: string;
}

/** Files of a store while it lived, with how much was written and durable by then. */
export interface LiveMoment {
  readonly files: FixtureFiles;
  readonly written: number;
  readonly durable: number;
}

export async function corpusSubject(name: string): Promise<RotSubject> {
  const files = await readFixture(join(committedCorpus(), name));
  const marked = files.has(MARK_FILE);
  const records = validPrefix(files);
  // The mark of a fixture may prove less; what it holds for them is checked by the corpus itself.
  return {
    name,
    files,
    records,
    durableRecords: marked ? await durableRecordsOf(files, records) : 0,
  };
}

const PUTS_PER_SEGMENT = 4;
const SEGMENTS = 3;

export interface MadeStore {
  readonly closed: RotSubject;
  readonly killed: RotSubject;
  /**
   * What became of the killed one: opened again, which leaves out txids, written to, and closed.
   */
  readonly reopened: RotSubject;
  /** The moments of the first opening, one after every operation, in order. */
  readonly moments: readonly LiveMoment[];
}

/**
 * A small store of three segments with overwritten and deleted keys, closed in order, or killed
 * with an unsynced end.
 */
export async function madeStore(salt: string): Promise<MadeStore> {
  const fileSystem = new MemoryFileSystem();
  const store = await openStore(ROT_DIRECTORY, { fileSystem });
  const moments: LiveMoment[] = [];
  let written = 0;
  const note = (): void => {
    const { segmentId, offset } = store.durableEnd;
    const durable = [...store.scan()].filter(
      ({ ref }) =>
        ref.segmentId < segmentId || (ref.segmentId === segmentId && ref.offset < offset),
    ).length;
    moments.push({ files: filesOf(fileSystem), written, durable });
  };
  for (let segment = 0; segment < SEGMENTS; segment++) {
    if (segment > 0) {
      store.rotate();
      note();
    }
    for (let index = 0; index < PUTS_PER_SEGMENT; index++) {
      writeOne(store, written++, salt);
      note();
    }
    if (segment < SEGMENTS - 1) {
      await store.sync();
      note();
    }
  }
  const killedFiles = filesOf(fileSystem.afterProcessDeath());
  const reopenedFiles = await reopenedAfter(fileSystem.afterProcessDeath(), written, salt);
  await store.close();
  const closedFiles = filesOf(fileSystem);
  const subject = async (name: string, files: FixtureFiles): Promise<RotSubject> => {
    const records = validPrefix(files);
    return { name, files, records, durableRecords: await durableRecordsOf(files, records) };
  };
  return {
    closed: await subject(`${salt}, closed`, closedFiles),
    killed: await subject(`${salt}, killed`, killedFiles),
    reopened: await subject(`${salt}, reopened`, reopenedFiles),
    moments,
  };
}

async function reopenedAfter(
  fileSystem: MemoryFileSystem,
  written: number,
  salt: string,
): Promise<FixtureFiles> {
  const store = await openStore(ROT_DIRECTORY, { fileSystem });
  for (let number = written; number < written + 3; number++) writeOne(store, number, salt);
  await store.close();
  return filesOf(fileSystem);
}

function writeOne(store: Store, number: number, salt: string): void {
  const key = `key-${number % 5}`;
  if (number % 6 === 5) store.delete(key);
  else store.put(key, `${salt} ${number}`.repeat(1 + (number % 2)));
}

export function filesOf(fileSystem: MemoryFileSystem): FixtureFiles {
  const names = fileSystem.list(ROT_DIRECTORY);
  const isFile = (name: string) => fileSystem.stat(join(ROT_DIRECTORY, name))?.kind === 'file';
  return new Map(
    names.filter(isFile).map((name) => [name, fileSystem.readFile(join(ROT_DIRECTORY, name))]),
  );
}

export function fileSystemWith(files: FixtureFiles): MemoryFileSystem {
  const fileSystem = new MemoryFileSystem();
  fileSystem.makeDirectory(ROT_DIRECTORY);
  for (const [name, bytes] of files)
    fileSystem.shareFile(join(ROT_DIRECTORY, name), bytes as Buffer);
  return fileSystem;
}

export function segmentNames(files: FixtureFiles): string[] {
  return [...files.keys()].filter((name) => /^\d{8}\.dwal$/.test(name)).sort();
}

export const SIDECARS = [MARK_FILE, LOCK_FILE] as const;

/** The records of consecutive segments, up to the first thing that is wrong. */
function validPrefix(files: FixtureFiles): RotRecord[] {
  const records: RotRecord[] = [];
  let lastTxid = 0;
  for (const name of segmentNames(files)) {
    const bytes = files.get(name) as Buffer;
    const segmentId = Number.parseInt(name, 10);
    for (let offset = 0; offset < bytes.length; ) {
      const decoded = decodeFrame(bytes, offset);
      if (!decoded.ok || decoded.record.txid <= lastTxid) return records;
      const { record, byteLength } = decoded;
      lastTxid = record.txid;
      records.push({ segmentId, offset, byteLength, text: recordText(record) });
      offset += byteLength;
    }
  }
  return records;
}

export function recordText(record: {
  readonly type: number;
  readonly txid: number;
  readonly key: Uint8Array;
  readonly payload: Uint8Array;
}): string {
  const { type, txid, key, payload } = record;
  return `${txid} ${type} ${Buffer.from(key).toString('hex')}=${Buffer.from(payload).toString('hex')}`;
}

/** Those before the mark, as an opening of the undamaged store reports it. */
async function durableRecordsOf(
  files: FixtureFiles,
  records: readonly RotRecord[],
): Promise<number> {
  let store: Store;
  try {
    store = await openStore(ROT_DIRECTORY, { fileSystem: fileSystemWith(files) });
  } catch {
    // It is refused as it is, so no damage to it can be taken for something else.
    return 0;
  }
  const mark = store.recoveryReport.durableMark;
  await store.close();
  if (mark === null) return 0;
  return records.filter(
    ({ segmentId, offset }) =>
      segmentId < mark.segmentId || (segmentId === mark.segmentId && offset < mark.offset),
  ).length;
}
