import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { committedCorpus, readManifest } from '../corpus/corpus.ts';
import type { FixtureFiles } from '../corpus/fixture.ts';
import { readFixture } from '../corpus/fixture-files.ts';
import { pairSubjects } from '../crash/rot/rot-pair-subjects.ts';

/**
 * Damaged and odd directories, to be shown to everything that takes the directory of a store: every
 * row of the recovery table (the corpus), every state of a killed merge, files of several stores,
 * and what is no plain file.
 */
export interface ZooRow {
  readonly name: string;
  readonly nature: ZooNature;
  readonly files: FixtureFiles;
  readonly odd: readonly OddFile[];
}

export type ZooNature =
  /** Everything that was written is there. */
  | 'sound'
  /** A tail is given up that was never durable. */
  | 'torn'
  /** Something durable is missing or damaged, or files contradict each other. */
  | 'corrupt'
  /** What follows the damage may be records or a value. */
  | 'ambiguous'
  /** There is no store. */
  | 'absent'
  /** A sidecar cannot be read at all. */
  | 'not readable'
  /** A backup that did not end. */
  | 'unfinished';

/** What stands under a name and is no plain file; it takes the place of one. */
export type OddFile =
  | { readonly kind: 'directory' | 'fifo'; readonly name: string }
  /** `to` is taken from the directory beside the store, where a copy of the file lies. */
  | { readonly kind: 'link'; readonly name: string; readonly isDangling: boolean }
  | { readonly kind: 'sparse'; readonly name: string; readonly sizeBytes: number };

/** The files by the names that docs/format.md gives them. */
const MARK_FILE = 'durable-mark';
const LOCK_FILE = '.lock';
const BACKUP_MARKER = 'backup-unfinished';
const SPARSE_BYTES = 16 * 1024 * 1024;

export async function directoryZoo(): Promise<ZooRow[]> {
  const { atRest } = await pairSubjects();
  const { atRest: others } = await pairSubjects();
  const [closed, other] = [atRest[0], others[0]];
  if (closed === undefined || other === undefined) throw new Error('there is no store');
  const rested = atRest.map(
    ({ name, files }): ZooRow => ({ name, nature: 'sound', files, odd: [] }),
  );
  return [...rested, ...(await corpusRows()), ...oddRows(closed.files, other.files)];
}

/** Puts a row on the real disk, as `directory`, which must not exist; its parent does. */
export function placeRow({ files, odd }: ZooRow, directory: string): void {
  mkdirSync(directory);
  const replaced = new Set(odd.map(({ name }) => name));
  for (const [name, bytes] of files)
    if (!replaced.has(name)) writeFileSync(join(directory, name), bytes);
  for (const one of odd) {
    const path = join(directory, one.name);
    if (one.kind === 'directory') mkdirSync(path);
    else if (one.kind === 'fifo') execFileSync('mkfifo', [path]);
    else if (one.kind === 'sparse') {
      writeFileSync(path, files.get(one.name) ?? '');
      truncateSync(path, one.sizeBytes);
    } else if (one.kind === 'link') {
      const elsewhere = `${directory}-${one.name}`;
      if (!one.isDangling) writeFileSync(elsewhere, files.get(one.name) ?? '');
      symlinkSync(elsewhere, path);
    }
  }
}

/** One for each row of the recovery table, and what is allowed. */
async function corpusRows(): Promise<ZooRow[]> {
  const { fixtures } = await readManifest(committedCorpus());
  return Promise.all(
    Object.entries(fixtures).map(async ([name, { expected }]): Promise<ZooRow> => {
      const files = await readFixture(join(committedCorpus(), name));
      const isWhole = 'discarded' in expected && expected.discarded.length === 0;
      const nature =
        'discarded' in expected
          ? isWhole
            ? 'sound'
            : 'torn'
          : expected.outcome === 'AMBIGUOUS_TAIL'
            ? 'ambiguous'
            : 'corrupt';
      return { name, nature, files, odd: [] };
    }),
  );
}

/** `files` and `other` are of two stores that were closed in order after the same history. */
function oddRows(files: FixtureFiles, other: FixtureFiles): ZooRow[] {
  const row = (name: string, nature: ZooNature, changed = files, ...odd: OddFile[]): ZooRow => ({
    name,
    nature,
    files: changed,
    odd,
  });
  const [one, two, next] = ['00000001.dwal', '00000002.dwal', '00000009.dwal'];
  const seals = [...files].filter(([name]) => name.endsWith('.seal'));
  const theirSeals = [...other].filter(([name]) => name.endsWith('.seal'));
  const sealed = seals.map(([name]) => `${name.slice(0, 8)}.dwal`);
  const without = (...names: string[]) =>
    new Map([...files].filter(([name]) => !names.includes(name)));
  const having = (...changes: (readonly [string, Uint8Array])[]) => new Map([...files, ...changes]);
  const bytesOf = (name: string) => files.get(name) as Uint8Array;
  const special = (kind: 'directory' | 'fifo', name: string): OddFile => ({ kind, name });
  const link = (name: string, isDangling: boolean): OddFile => ({ kind: 'link', name, isDangling });
  return [
    row('a file of segment 0', 'sound', having(['00000000.dwal', bytesOf(one)])),
    row('a directory that is named as a later segment', 'sound', files, special('directory', next)),
    row('a FIFO that is named as a later segment', 'sound', files, special('fifo', next)),
    row('a dangling link that is named as a later segment', 'sound', files, link(next, true)),
    row('a directory in the place of a segment', 'corrupt', files, special('directory', two)),
    row('a FIFO in the place of a segment', 'corrupt', files, special('fifo', two)),
    row('a link to a segment', 'sound', files, link(two, false)),
    row('a dangling link in the place of a segment', 'corrupt', files, link(two, true)),
    row(
      'a directory in the place of a seal',
      'sound',
      files,
      special('directory', '00000002.seal'),
    ),
    row('a FIFO in the place of a seal', 'sound', files, special('fifo', '00000002.seal')),
    row(
      'a directory in the place of the mark',
      'not readable',
      files,
      special('directory', MARK_FILE),
    ),
    row('a FIFO in the place of the mark', 'not readable', files, special('fifo', MARK_FILE)),
    row(
      'a directory in the place of the lock file',
      'not readable',
      files,
      special('directory', LOCK_FILE),
    ),
    row('a FIFO in the place of the lock file', 'not readable', files, special('fifo', LOCK_FILE)),
    row(
      'strange files',
      'sound',
      having(['README', Buffer.from('x')], ['1.dwal', bytesOf(one)]),
      special('directory', 'notes'),
    ),
    row('a file in the place of the quarantine', 'sound', having(['quarantine', Buffer.from('x')])),
    row('seals of another store', 'sound', having(...theirSeals)),
    row(
      'a mark of another store',
      'sound',
      having([MARK_FILE, other.get(MARK_FILE) as Uint8Array]),
    ),
    row(
      'a seal under the name of another',
      'sound',
      having(['00000002.seal', bytesOf('00000001.seal')]),
    ),
    row(
      'a segment and its seal of another moment',
      'corrupt',
      having([two, bytesOf(two).subarray(0, 90)], ['00000002.seal', bytesOf('00000001.seal')]),
    ),
    row('segments exchanged', 'corrupt', having([one, bytesOf(two)], [two, bytesOf(one)])),
    row('a segment copied over another', 'corrupt', having([two, bytesOf(one)])),
    row(
      'a segment emptied, and its seal gone',
      'corrupt',
      new Map([...without('00000002.seal'), [two, Buffer.alloc(0)]]),
    ),
    row('all sealed segments gone', 'corrupt', without(...sealed)),
    row(
      'all sealed segments and seals gone',
      'corrupt',
      without(...sealed, ...seals.map(([name]) => name)),
    ),
    row(
      'all segments gone',
      'corrupt',
      new Map([...files].filter(([name]) => !name.endsWith('.dwal'))),
    ),
    row('all seals gone', 'sound', without(...seals.map(([name]) => name))),
    row('mark and lock file gone', 'sound', without(MARK_FILE, LOCK_FILE)),
    row(
      'empty files',
      'sound',
      new Map([one, '00000001.seal', MARK_FILE, LOCK_FILE].map((name) => [name, Buffer.alloc(0)])),
    ),
    row('zeros behind the end', 'torn', files, {
      kind: 'sparse',
      name: '00000004.dwal',
      sizeBytes: SPARSE_BYTES,
    }),
    row('zeros in a segment behind the last', 'torn', files, {
      kind: 'sparse',
      name: '00000005.dwal',
      sizeBytes: SPARSE_BYTES,
    }),
    row('an unfinished backup', 'unfinished', having([BACKUP_MARKER, Buffer.from('x')])),
    row('nothing', 'absent', new Map()),
    row(
      'only what is no segment',
      'absent',
      new Map([['notes.txt', Buffer.from('x')]]),
      special('directory', one),
    ),
  ];
}
