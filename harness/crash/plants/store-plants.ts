import { readFileSync } from 'node:fs';
import { shippedFile } from '../../package-root.ts';
import { applyEdit } from './mutant.ts';

/** The parts of a crash run that any store can be put through. */
export type StorePart = 'workload' | 'kills' | 'cuts' | 'faults';

/** A mistake that is put into a copy of the small store, to see it caught. */
export interface StorePlant {
  readonly name: string;
  /** What is wrong, in one clause. */
  readonly mistake: string;
  readonly edits: readonly (readonly [find: string, replace: string])[];
  /** The part that must catch it. */
  readonly part: StorePart;
}

/** The small store that keeps its promises, as a module of its own. */
export function smallStorePath(): string {
  return shippedFile('crash/plants/small-store/small-store.mjs');
}

/** The text of the store with the mistake in it. */
export function plantedStore({ edits }: StorePlant): string {
  return edits.reduce(
    (text, [find, replace]) => applyEdit(text, { file: 'small-store', find, replace }),
    readFileSync(smallStorePath(), 'utf8'),
  );
}

const IN_A_WORKLOAD: readonly StorePlant[] = [
  {
    name: 'lost-on-close',
    mistake: 'lines wait in memory for the next sync, and a close forgets them',
    edits: [
      [
        'this.orBreak(() => writeFully(this.fd, line, this.size));',
        '(this.waiting ??= []).push([line, this.size]);',
      ],
      [
        'this.orBreak(() => fsyncSync(this.fd));',
        'for (const [line, at] of this.waiting ?? []) writeFully(this.fd, line, at); this.waiting = []; this.orBreak(() => fsyncSync(this.fd));',
      ],
    ],
    part: 'workload',
  },
  {
    name: 'delete-not-logged',
    mistake: 'a delete changes the memory, and not the log',
    edits: [
      ['this.append({ key: name(key), value: undefined });', 'this.pairs.delete(name(key));'],
    ],
    part: 'workload',
  },
  {
    name: 'stale-read',
    mistake: 'a value that was read once is given again after it has changed',
    edits: [
      [
        'return this.pairs.get(name(key));',
        'this.read ??= new Map(); if (!this.read.has(name(key))) this.read.set(name(key), this.pairs.get(name(key))); return this.read.get(name(key));',
      ],
    ],
    part: 'workload',
  },
  {
    name: 'key-through-utf8',
    mistake: 'the bytes of a key are taken for UTF-8',
    edits: [
      ["return Buffer.from(key).toString('latin1');", "return Buffer.from(key).toString('utf8');"],
      ["yield [Buffer.from(key, 'latin1'), value];", "yield [Buffer.from(key, 'utf8'), value];"],
    ],
    part: 'workload',
  },
  {
    name: 'key-is-a-property',
    mistake: 'the map is a plain object, which has properties of its own',
    edits: [
      [
        'this.pairs = new Map();',
        'this.pairs = { all: {}, get(key) { return this.all[key]; }, set(key, value) { this.all[key] = value; }, delete(key) { delete this.all[key]; }, *[Symbol.iterator]() { yield* Object.entries(this.all); } };',
      ],
    ],
    part: 'workload',
  },
  {
    name: 'empty-value-dropped',
    mistake: 'an empty value is taken for none',
    edits: [
      [
        'if (value === undefined) this.pairs.delete(key);',
        'if (!value?.length) this.pairs.delete(key);',
      ],
    ],
    part: 'workload',
  },
  {
    name: 'absent-is-empty',
    mistake: 'a key that is absent is given as an empty value',
    edits: [
      ['return this.pairs.get(name(key));', 'return this.pairs.get(name(key)) ?? Buffer.alloc(0);'],
    ],
    part: 'workload',
  },
  {
    name: 'large-value-cut',
    mistake: 'a value of more than 64 KiB is cut',
    edits: [['value: Buffer.from(value) });', 'value: Buffer.from(value).subarray(0, 65_536) });']],
    part: 'workload',
  },
  {
    name: 'put-lost-beside-another',
    mistake: 'two puts at a time each change a copy of the same map, and the later copy stays',
    edits: [
      [
        'async put(key, value) { this.append({ key: name(key), value: Buffer.from(value) });',
        'async put(key, value) { const copy = new Map(this.pairs); await null; this.append({ key: name(key), value: Buffer.from(value) }); this.pairs = copy.set(name(key), Buffer.from(value));',
      ],
    ],
    part: 'workload',
  },
  {
    name: 'put-lost-during-iteration',
    mistake: 'at the end of a listing the map is what it was at its beginning',
    edits: [
      [
        "yield [Buffer.from(key, 'latin1'), value];",
        "yield [Buffer.from(key, 'latin1'), value]; this.pairs = new Map(pairs);",
      ],
    ],
    part: 'workload',
  },
  {
    name: 'unordered-entries',
    mistake: 'entries() comes in the order of writing',
    edits: [['[...this.pairs].sort(([a], [b]) => (a < b ? -1 : 1))', '[...this.pairs]']],
    part: 'workload',
  },
  {
    name: 'numbers-begin-again',
    mistake: 'after an opening the lines are numbered from nought again',
    edits: [
      [
        'if (this.size < bytes.length) ftruncateSync(this.fd, this.size);',
        'if (this.size < bytes.length) ftruncateSync(this.fd, this.size); this.next = 0;',
      ],
    ],
    part: 'workload',
  },
  {
    name: 'compaction-keeps-old-descriptor',
    mistake: 'after a compaction lines go on into the file that it replaced',
    edits: [
      ['closeSync(this.fd); this.fd = fd; this.size = size;', 'closeSync(fd); this.size = size;'],
    ],
    part: 'workload',
  },
  {
    name: 'descriptor-left-open',
    mistake: 'a compaction does not close the file that it replaced',
    edits: [['closeSync(this.fd); this.fd = fd;', 'this.fd = fd;']],
    part: 'workload',
  },
];

const UNDER_KILLS: readonly StorePlant[] = [
  {
    name: 'acknowledged-before-written',
    mistake: 'a put returns, and its line is written a little later',
    edits: [
      [
        'this.orBreak(() => writeFully(this.fd, line, this.size));',
        'const { fd, size } = this; const late = (this.late ??= []); late.push(() => writeFully(fd, line, size)); setTimeout(() => { for (const write of late.splice(0)) write(); }, 10);',
      ],
      [
        'async close() {',
        'async close() { for (const write of this.late?.splice(0) ?? []) write();',
      ],
      [
        'const path = this.temporary;',
        'for (const write of this.late?.splice(0) ?? []) write(); const path = this.temporary;',
      ],
    ],
    part: 'kills',
  },
  {
    name: 'rewritten-in-place',
    mistake: 'a compaction empties the log and writes it again',
    edits: [['const path = this.temporary;', 'const path = this.path;']],
    part: 'kills',
  },
  {
    name: 'temporary-taken-for-data',
    mistake: 'an opening takes what a compaction left for the newer log',
    edits: [
      [
        'this.fd = openSync(this.path, O_RDWR | O_CREAT);',
        'try { renameSync(this.temporary, this.path); } catch {} this.fd = openSync(this.path, O_RDWR | O_CREAT);',
      ],
    ],
    part: 'kills',
  },
  {
    name: 'recovery-not-repeatable',
    mistake: 'an opening empties the log and writes its lines again, and may be killed between',
    edits: [
      [
        'if (this.size < bytes.length) ftruncateSync(this.fd, this.size);',
        'ftruncateSync(this.fd, 0); writeFully(this.fd, bytes.subarray(0, this.size), 0);',
      ],
    ],
    part: 'kills',
  },
  {
    name: 'dead-holder-blocks',
    mistake: 'a lock file says that the store is open, and a killed process leaves it',
    edits: [
      [
        'this.fd = openSync(this.path, O_RDWR | O_CREAT);',
        'closeSync(openSync(join(directory, "lock"), O_RDWR | O_CREAT | constants.O_EXCL)); this.fd = openSync(this.path, O_RDWR | O_CREAT);',
      ],
      ['async close() {', 'async close() { rmSync(join(this.directory, "lock"));'],
    ],
    part: 'kills',
  },
];

const UNDER_FAULTS: readonly StorePlant[] = [
  {
    name: 'no-space-swallowed',
    mistake: 'a line for which there is no room is left out, and nobody is told',
    edits: [
      [
        'this.orBreak(() => writeFully(this.fd, line, this.size));',
        "try { writeFully(this.fd, line, this.size); } catch (error) { if (error.code !== 'ENOSPC') throw error; this.next++; this.apply(record); return; }",
      ],
    ],
    part: 'faults',
  },
  {
    name: 'interrupted-call-is-fatal',
    mistake: 'a read that a signal interrupts ends the process',
    edits: [
      [
        "if (error.code !== 'EINTR') throw error;",
        "if (error.code === 'EINTR') process.exit(70); throw error;",
      ],
    ],
    part: 'faults',
  },
  {
    name: 'descriptor-leak-on-error',
    mistake: 'a compaction that fails leaves its file open',
    edits: [
      [
        'closeSync(fd); rmSync(path, { force: true }); throw error;',
        'rmSync(path, { force: true }); throw error;',
      ],
    ],
    part: 'faults',
  },
  {
    name: 'short-write-not-continued',
    mistake: 'a write that took less than it was given counts as whole',
    edits: [
      [
        'for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done, bytes.length - done, position + done);',
        'writeSync(fd, bytes, 0, bytes.length, position);',
      ],
    ],
    part: 'faults',
  },
  {
    name: 'torn-line-throws',
    mistake: 'an opening refuses a log whose last line is not whole',
    edits: [
      [
        'if (record === undefined) break;',
        "if (record === undefined && this.size < bytes.length) throw new Error('the log is damaged'); if (record === undefined) break;",
      ],
    ],
    part: 'faults',
  },
  {
    name: 'torn-line-kept',
    mistake: 'a last line that is not whole stays, and new lines are appended to it',
    edits: [
      [
        'if (this.size < bytes.length) ftruncateSync(this.fd, this.size);',
        'this.size = bytes.length;',
      ],
    ],
    part: 'faults',
  },
  {
    name: 'goes-on-behind-a-failure',
    mistake: 'a line that could not be written whole is counted, and the next ones follow it',
    edits: [
      [
        'this.orBreak(() => writeFully(this.fd, line, this.size)); this.size += line.length; this.next++;',
        'this.size += line.length; this.next++; writeFully(this.fd, line, this.size - line.length);',
      ],
    ],
    part: 'faults',
  },
];

const UNDER_POWER_CUTS: readonly StorePlant[] = [
  {
    name: 'no-sync',
    mistake: 'a sync makes none',
    edits: [
      [
        'async sync() { this.checkWhole(); this.orBreak(() => fsyncSync(this.fd));',
        'async sync() { this.checkWhole();',
      ],
    ],
    part: 'cuts',
  },
  {
    name: 'no-sync-of-the-directory',
    mistake: 'the names of files are left to chance',
    edits: [['fsyncSync(fd); } finally { closeSync(fd); }', '} finally { closeSync(fd); }']],
    part: 'cuts',
  },
  {
    name: 'renamed-before-sync',
    mistake: 'a compaction renames its file over the log before it is durable',
    edits: [['fsyncSync(fd); renameSync(path, this.path);', 'renameSync(path, this.path);']],
    part: 'cuts',
  },
  {
    name: 'sync-of-another-descriptor',
    mistake: 'a sync goes to the file that the store opened first, which a compaction has replaced',
    edits: [
      [
        'this.orBreak(() => fsyncSync(this.fd));',
        'this.orBreak(() => fsyncSync(this.first ?? this.fd));',
      ],
      [
        'closeSync(this.fd); this.fd = fd;',
        'if (this.first === undefined) this.first = this.fd; else closeSync(this.fd); this.fd = fd;',
      ],
      ['async close() {', 'async close() { if (this.first !== undefined) closeSync(this.first);'],
    ],
    part: 'cuts',
  },
  {
    name: 'checksum-skipped',
    mistake: 'a line is taken as it stands, whether its checksum is right or not',
    edits: [
      [
        'if (line.length < 9 || crc32(body) !== Number.parseInt(line.subarray(0, 8).toString(), 16)) return undefined;',
        'if (line.length < 9) return undefined;',
      ],
    ],
    part: 'cuts',
  },
  {
    name: 'failed-sync-retried',
    mistake: 'a sync that failed is tried again, and believed when it then succeeds',
    edits: [
      [
        'async sync() { this.checkWhole(); this.orBreak(() => fsyncSync(this.fd));',
        'async sync() { this.checkWhole(); try { fsyncSync(this.fd); } catch { fsyncSync(this.fd); }',
      ],
    ],
    part: 'cuts',
  },
];

/** Each is one mistake. Those under power cuts need a recorder of system calls. */
export const STORE_PLANTS: readonly StorePlant[] = [
  ...IN_A_WORKLOAD,
  ...UNDER_KILLS,
  ...UNDER_FAULTS,
  ...UNDER_POWER_CUTS,
];
