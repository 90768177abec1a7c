import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import { DiskModel } from '../../harness/crash/disk/disk-model.ts';
import { whyNoRecording } from '../../harness/crash/recording/record-program.ts';
import { cutSteps } from '../../harness/crash/recording/record-steps.ts';
import { recordStore } from '../../harness/crash/recording/record-store.ts';
import { recordWork } from '../../harness/crash/recording/record-work.ts';
import { EMPTY_DISK } from '../../harness/file-systems/disk-image.ts';
import { MemoryFileSystem } from '../../harness/file-systems/memory-file-system.ts';
import { RecordingFileSystem } from '../../harness/file-systems/recording-file-system.ts';
import type { TraceEvent } from '../../harness/file-systems/trace.ts';
import type { StoreUnderTest } from '../../harness/store-under-test.ts';
import { HOSTILE_KEY_COUNT } from '../../harness/workloads/hostile-values.ts';
import { openStore, type Store } from '../../src/engine/index.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

/**
 * The same workload of our own store, recorded once by the file system in memory and once by
 * strace, must come to the same trace: both recorders are wrong in the same way, or in none.
 */
interface Recorded {
  /** Paths begin at the directory of the store. */
  readonly events: readonly TraceEvent[];
  readonly marks: readonly { readonly text: string; readonly at: number }[];
}

const SHAPE = {
  takesEmpty: false,
  takesLarge: false,
  keys: [0, 1, 2, 3, 4, 5].map((key) => HOSTILE_KEY_COUNT + key),
  concurrent: true,
  syncs: true,
  compacts: true,
};
const STEPS = 60;

function underTest(store: Store): StoreUnderTest {
  return {
    get: (key) => store.get(key),
    put: (key, value) => store.put(key, value),
    delete: (key) => store.delete(key),
    sync: () => store.sync(),
    entries: () => store.entries(),
    compact: () => store.compact(),
    close: () => store.close(),
  };
}

async function recordedByStrace(
  seed: number,
  segmentBytes: number,
  compacts: boolean,
): Promise<Recorded> {
  const place = temporaryDirectory();
  const engine = pathToFileURL(resolve('dist/src/engine/index.js')).href;
  const adapter = join(place, 'adapter.mjs');
  writeFileSync(
    adapter,
    `import { openStore } from '${engine}';\nexport default async (directory) => { const store = await openStore(directory, { segmentBytes: ${segmentBytes} }); return (${underTest})(store); };`,
  );
  const directory = join(place, 'store');
  mkdirSync(directory);
  const shape = { ...SHAPE, compacts };
  const task = { adapter, directory, seed, stepCount: STEPS, shape };
  const { recording, errors } = await recordStore(task, { timeoutMs: 60_000 });
  expect(errors).toBe('');
  expect(recording.troubles).toEqual([]);
  return { events: recording.events.map(({ event }) => event), marks: recording.marks };
}

async function recordedInMemory(
  seed: number,
  segmentBytes: number,
  compacts: boolean,
): Promise<Recorded> {
  const directory = '/parent/store';
  const fileSystem = new RecordingFileSystem(new MemoryFileSystem());
  fileSystem.makeDirectory(directory);
  fileSystem.trace.length = 0;
  const marks: { text: string; at: number }[] = [];
  await recordWork(
    async (at) => underTest(await openStore(at, { fileSystem, segmentBytes })),
    { adapter: '', directory, seed, stepCount: STEPS, shape: { ...SHAPE, compacts } },
    (text) => marks.push({ text, at: fileSystem.trace.length }),
  );
  const inside = (path: string) => path.slice(directory.length) || '/';
  const events = fileSystem.trace.map((event): TraceEvent => {
    if (event.kind === 'rename')
      return { ...event, from: inside(event.from), to: inside(event.to) };
    // The directory above the store lies outside of what strace is asked about.
    if ('path' in event)
      return { ...event, path: event.path === '/parent' ? '/..' : inside(event.path) };
    return event;
  });
  return { events, marks };
}

/** `proper-lockfile`'s directory, which the file system in memory does not show, and the parent. */
function isLeftOut(event: TraceEvent): boolean {
  return 'path' in event && (event.path === '/.lock.lock' || event.path === '/..');
}

/**
 * One line per event. Inodes become the names that they had, and the events that a sync waited for
 * are counted without those that are left out. What names this process and this moment (the lock,
 * ids in marks and seals) is shown by its place and length, the owner in the lock by its place.
 */
function linesOf({ events, marks }: Recorded): string[] {
  const names = new Map<number, string>();
  const place = [0];
  for (const [at, event] of events.entries())
    place.push((place[at] as number) + Number(!isLeftOut(event)));
  const told = events.map((event, at) => {
    if (event.kind === 'create') names.set(event.inode, event.path);
    const of = 'inode' in event && event.inode !== undefined ? names.get(event.inode) : undefined;
    if (event.kind === 'rename' && event.inode !== undefined) names.set(event.inode, event.to);
    return { at, text: describeEvent(event, of, place) };
  });
  return [
    ...marks.map(({ text, at }) => ({ at: at - 0.5, text: `# ${text}` })),
    ...told.filter(({ at }) => !isLeftOut(events[at] as TraceEvent)),
  ]
    .sort((a, b) => a.at - b.at)
    .map(({ text }) => text);
}

function describeEvent(event: TraceEvent, of: string | undefined, place: readonly number[]) {
  switch (event.kind) {
    case 'write': {
      const { position, bytes } = event;
      const shown = isLog(of) ? bytes.toString('hex') : of === '/.lock' ? '' : bytes.length;
      return `write ${of} at ${position}: ${shown}`;
    }
    case 'truncate':
      return `truncate ${of} to ${event.sizeBytes}`;
    case 'dataSync':
      return `sync ${of}, of what came before ${place[event.since]}`;
    case 'directorySync':
      return `sync ${event.path}, of what came before ${place[event.since]}`;
    case 'rename':
      return `rename ${event.from} to ${event.to}`;
    case 'create':
    case 'remove':
    case 'makeDirectory':
    case 'removeDirectory':
      return `${event.kind} ${event.path}`;
    default:
      return event.kind;
  }
}

const isLog = (path: string | undefined) => path?.endsWith('.dwal') === true;

/** What each log file holds at each acknowledged sync when the power takes all that it may. */
function durableAtSyncs(
  { events, marks }: Recorded,
  syncs: ReadonlySet<string>,
  model: 'posix' | 'ext4',
): string[] {
  const disk = new DiskModel(EMPTY_DISK, () => 0, model);
  const states: string[] = [];
  let at = 0;
  for (const { text, at: end } of marks) {
    for (; at < end; at++) disk.advance(events[at] as TraceEvent, at);
    if (!syncs.has(text)) continue;
    const { files } = disk.image(() => 'lost');
    const logs = [...files].filter(([path]) => isLog(path));
    const held = logs.map(([path, bytes]) => `${path} ${bytes.toString('hex')}`);
    states.push(`${text}: ${held.sort().join(' ')}`);
  }
  return states;
}

describe.skipIf(whyNoRecording() !== undefined)('the two recorders of our own store', () => {
  test.each([1, 2])(
    'seed %i: with nothing in the background, their traces are the same, event by event',
    async (seed) => {
      const size = 64 * 1024 * 1024;
      const ours = linesOf(await recordedInMemory(seed, size, false));
      const theirs = linesOf(await recordedByStrace(seed, size, false));
      expect(ours.filter((line) => line.startsWith('# end')).length).toBe(STEPS);
      expect(theirs).toEqual(ours);
    },
    60_000,
  );

  test.each([2, 3])(
    'seed %i: with rotations, seals and merges at work, they agree on what each sync has made durable',
    async (seed) => {
      const size = 4096;
      const [ours, theirs] = await Promise.all([
        recordedInMemory(seed, size, true),
        recordedByStrace(seed, size, true),
      ]);
      const syncs = new Set(
        cutSteps(seed, STEPS, SHAPE)
          .filter(({ step }) => step.kind === 'sync')
          .map(({ number }) => `end ${number}`),
      );
      expect(syncs.size).toBeGreaterThan(1);
      expect(ours.events.filter(({ kind }) => kind === 'rename').length).toBeGreaterThan(1);
      for (const model of ['posix', 'ext4'] as const)
        expect(durableAtSyncs(theirs, syncs, model)).toEqual(durableAtSyncs(ours, syncs, model));
    },
    60_000,
  );
});
