import type { CommandEntry } from './command-entry.ts';

export const READING = 'Look (these only read, need no lock, and run beside a writer):';
const WRITING = 'Change:';
const RESCUE = 'Rescue:';
const HARNESS = 'Prove (from a clone of the repository):';
const OTHER = 'Other:';

export const COMMANDS: readonly CommandEntry[] = [
  {
    name: 'scan',
    summary: 'print the records in the order in which they were written',
    group: READING,
    load: () => import('./scan.ts'),
  },
  {
    name: 'get',
    summary: 'print the value of a key',
    group: READING,
    load: () => import('./get.ts'),
  },
  {
    name: 'keys',
    summary: 'print the live keys, in byte order; those with a prefix',
    group: READING,
    load: () => import('./keys.ts'),
  },
  {
    name: 'stats',
    summary: 'keys, bytes, segments, garbage',
    group: READING,
    load: () => import('./stats.ts'),
  },
  {
    name: 'report',
    summary: 'what an opening finds: where the valid log ends, and why',
    group: READING,
    load: () => import('./report.ts'),
  },
  {
    name: 'verify',
    summary: 'read every frame, hold seal files and keydir against them, list all damage',
    group: READING,
    load: () => import('./verify.ts'),
  },
  {
    name: 'check',
    summary: 'every sanity check, and one verdict',
    group: READING,
    load: () => import('./check.ts'),
  },
  {
    name: 'doctor',
    summary: 'what check says, and the runtime, the lock, the checksum, the disk and its fsync',
    group: READING,
    load: () => import('./doctor.ts'),
  },
  {
    name: 'dump',
    summary: 'print the headers of the frames, without what they hold',
    group: READING,
    load: () => import('./dump.ts'),
  },
  {
    name: 'hexdump',
    summary: 'take the frame at a place apart: each field named, the checksum stored and computed',
    group: READING,
    load: () => import('./hexdump.ts'),
  },
  {
    name: 'export',
    summary: 'write the live keys and values as JSON lines',
    group: READING,
    load: () => import('./export.ts'),
  },
  {
    name: 'put',
    summary: 'set a key, durably; makes the store when there is none',
    group: WRITING,
    load: () => import('./put.ts'),
  },
  {
    name: 'del',
    summary: 'delete a key, durably',
    group: WRITING,
    load: () => import('./del.ts'),
  },
  {
    name: 'import',
    summary: 'put every line of an exported file',
    group: WRITING,
    load: () => import('./import.ts'),
  },
  {
    name: 'compact',
    summary: 'remove garbage, in place or into a new directory',
    group: WRITING,
    load: () => import('./compact.ts'),
  },
  {
    name: 'backup',
    summary: 'a consistent copy in another directory, by hard links where it can',
    group: WRITING,
    load: () => import('./backup.ts'),
  },
  {
    name: 'repair-seals',
    summary: 'rebuild seal files that are missing or damaged',
    group: WRITING,
    load: () => import('./repair-seals.ts'),
  },
  {
    name: 'salvage',
    summary:
      'copy every valid record of a damaged store into a new directory, and list what was lost',
    group: RESCUE,
    load: () => import('./salvage.ts'),
  },
  {
    name: 'soak',
    summary: 'write, kill, reopen and compare, with a report',
    group: HARNESS,
    load: () => import('./soak.ts'),
  },
  {
    name: 'crash',
    summary: 'open every disk image that a power cut may leave',
    group: HARNESS,
    load: () => import('./crash.ts'),
  },
  { name: 'bench', summary: 'measure', group: HARNESS, load: () => import('./bench.ts') },
  {
    name: 'corpus',
    summary: 'the frozen fixtures of the wire format',
    group: HARNESS,
    load: () => import('./corpus.ts'),
  },
  {
    name: 'completion',
    summary: 'print the completion script of a shell',
    group: OTHER,
    load: () => import('./completion.ts'),
  },
];
