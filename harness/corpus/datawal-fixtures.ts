import { join } from 'node:path';
import { openLog, openStore, type RecordLog, type Store } from '../../src/engine/index.ts';
import { discarded, type Fixture, recovers, refusesAsCorrupt } from './fixture.ts';
import { readFixture } from './fixture-files.ts';
import { LogImage } from './log-image.ts';
import { withTemporaryDirectory } from './temporary-directory.ts';

/** The fixtures that datawal froze its format with, from the same operations. */
export const DATAWAL_FIXTURES: readonly Fixture[] = [
  {
    name: 'datawal/valid_log',
    made: 'Appended alpha, beta, gamma as Raw records.',
    expected: recovers(3, {}),
    build: async () => (await appended('alpha', 'beta', 'gamma')).files,
  },
  {
    name: 'datawal/truncated_tail',
    made: 'Appended one, two, three as Raw records, then cut the last 5 bytes of segment 1.',
    expected: recovers(2, {}, discarded('truncated', 1, 62, 28)),
    build: async () => (await appended('one', 'two', 'three')).cut(1, 31 + 31 + 33 - 5).files,
  },
  {
    name: 'datawal/bad_crc',
    made: 'Appended good, this-will-be-corrupted and after, a segment each, then inverted byte 29 of segment 2.',
    expected: refusesAsCorrupt('crc-mismatch', 2, 0),
    build: async () => {
      const image = await logged((log) => {
        log.append('good');
        log.rotate();
        log.append('this-will-be-corrupted');
        log.rotate();
        log.append('after');
      });
      return image.flip(2, 29).files;
    },
  },
  {
    name: 'datawal/unknown_version',
    made: 'Appended first as a Raw record, then wrote FE CA over its version.',
    expected: refusesAsCorrupt('unknown-version', 1, 0),
    build: async () => (await appended('first')).overwrite(1, 4, Buffer.from('feca', 'hex')).files,
  },
  {
    name: 'datawal/delete_tombstone',
    made: 'Put alpha=1, beta=2, alpha=3; deleted beta.',
    expected: recovers(4, { alpha: '3' }),
    build: async () => {
      const image = await stored((store) => {
        store.put('alpha', '1');
        store.put('beta', '2');
        store.put('alpha', '3');
        store.delete('beta');
        return store.directory;
      });
      return image.files;
    },
  },
  {
    name: 'datawal/compact_to_output',
    made: 'Put keep=final, keep=old, keep=final, gone=nope; deleted gone; put other=value; this is what compactTo wrote.',
    expected: recovers(2, { keep: 'final', other: 'value' }),
    build: async () => {
      const image = await stored(async (store, directory) => {
        store.put('keep', 'final');
        store.put('keep', 'old');
        store.put('keep', 'final');
        store.put('gone', 'nope');
        store.delete('gone');
        store.put('other', 'value');
        const output = join(directory, 'output');
        await store.compactTo(output);
        return output;
      });
      return image.files;
    },
  },
];

function appended(...payloads: string[]): Promise<LogImage> {
  return logged((log) => {
    for (const payload of payloads) log.append(payload);
  });
}

function logged(write: (log: RecordLog) => void): Promise<LogImage> {
  return onDisk(async (directory) => {
    const log = await openLog(directory);
    write(log);
    await log.close();
    return directory;
  });
}

/** `write` returns the directory that counts. */
function stored(
  write: (store: Store, directory: string) => Promise<string> | string,
): Promise<LogImage> {
  return onDisk(async (directory) => {
    const store = await openStore(join(directory, 'store'));
    const output = await write(store, directory);
    await store.close();
    return output;
  });
}

function onDisk(write: (directory: string) => Promise<string>): Promise<LogImage> {
  return withTemporaryDirectory(
    async (temporary) => new LogImage(await readFixture(await write(temporary))),
  );
}
