import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { committedCorpus, FIXTURES } from '../../harness/corpus/corpus.ts';
import type { FixtureFiles } from '../../harness/corpus/fixture.ts';
import { readFixture } from '../../harness/corpus/fixture-files.ts';
import { memoryCopy } from '../../harness/corpus/memory-copy.ts';
import { type Call, intercept, isChange } from '../../harness/file-systems/intercepted.ts';
import type { MemoryFileSystem } from '../../harness/file-systems/memory-file-system.ts';
import { segmentPath } from '../../src/engine/format/segment-name.ts';
import type { FileSystem } from '../../src/engine/index.ts';
import { DIRECTORY, everyFile, open, QUARANTINE } from './store-in-memory.ts';

class Killed extends Error {}

/**
 * The fixtures that a writer opens by changing them, or at least by rewriting what may not be on
 * disk.
 */
let recovering: { name: string; files: FixtureFiles }[];

beforeAll(async () => {
  const names = FIXTURES.filter(({ expected }) => expected.outcome === 'recovered').map(
    ({ name }) => name,
  );
  recovering = await Promise.all(
    names.map(async (name) => ({ name, files: await readFixture(join(committedCorpus(), name)) })),
  );
});

/**
 * A process that dies in the change number `step` (from 0) and changes nothing any more. A write
 * dies half-way. `killed()` says whether it came to that.
 */
function killedAt(
  fileSystem: MemoryFileSystem,
  step: number,
): { fileSystem: FileSystem; killed(): boolean } {
  let steps = 0;
  const die = (call: Call) => {
    const [descriptor, buffer, offset, length, position] = call.args;
    if (steps - 1 === step && call.method === 'write') {
      const half = Math.floor((length as number) / 2);
      fileSystem.write(
        descriptor as number,
        buffer as Uint8Array,
        offset as number,
        half,
        position as number,
      );
    }
    throw new Killed();
  };
  return {
    killed: () => steps > step,
    fileSystem: intercept(fileSystem, (call) => {
      if (isChange(call) && steps++ >= step) die(call);
      return call.proceed();
    }),
  };
}

/** Opens in a process that dies in the given step; undefined when it had finished before. */
async function openAndDie(
  fileSystem: MemoryFileSystem,
  step: number,
): Promise<MemoryFileSystem | undefined> {
  const dying = killedAt(fileSystem, step);
  await open(dying.fileSystem).catch((error: unknown) => {
    if (!dying.killed()) throw error;
  });
  return dying.killed() ? fileSystem.afterProcessDeath() : undefined;
}

/**
 * Opens, and gives everything about the store that must not depend on how often its recovery was
 * killed.
 */
async function recoveredState(fileSystem: MemoryFileSystem) {
  const store = await open(fileSystem);
  return {
    live: [...store.entries()].map(([key, value]) => [String(key), String(value)]).sort(),
    records: [...store.scan()].map(({ txid, ref }) => ({ txid, ref })),
    // Segments and quarantine; sidecars hold nonces.
    files: Object.entries(everyFile(fileSystem)).filter(
      ([path]) => !/\.lock|durable-mark/.test(path),
    ),
    descriptors: fileSystem.openDescriptorCount,
  };
}

describe('recovery killed at any step', () => {
  test('comes to the same segments, pairs and quarantine when it is opened again', async () => {
    let kills = 0;
    for (const { name, files } of recovering) {
      const undisturbed = await recoveredState(memoryCopy(files, DIRECTORY));
      for (let step = 0; ; step++) {
        const died = await openAndDie(memoryCopy(files, DIRECTORY), step);
        if (died === undefined) break;
        kills++;
        expect(await recoveredState(died), `${name}, killed at step ${step}`).toEqual(undisturbed);
      }
    }
    expect(kills).toBeGreaterThan(10 * recovering.length);
  });

  test('comes to the same store also when it is killed again and again', async () => {
    const fixture = fc.nat();
    const steps = fc.array(fc.integer({ min: 0, max: 45 }), { minLength: 2, maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(fixture, steps, async (index, kills) => {
        const { files } = recovering[index % recovering.length] as { files: FixtureFiles };
        const undisturbed = await recoveredState(memoryCopy(files, DIRECTORY));
        let fileSystem = memoryCopy(files, DIRECTORY);
        for (const step of kills) {
          const died = await openAndDie(fileSystem, step);
          fileSystem = died ?? fileSystem.afterProcessDeath();
        }
        expect(await recoveredState(fileSystem)).toEqual(undisturbed);
      }),
      { numRuns: 150 },
    );
  });

  test('keeps the damage visible to a strict opening until the very last cut', async () => {
    for (const { name, files } of recovering) {
      const [damaged] = (await open(memoryCopy(files, DIRECTORY))).recoveryReport.discarded;
      if (damaged === undefined) continue;
      for (let step = 0; ; step++) {
        const died = await openAndDie(memoryCopy(files, DIRECTORY), step);
        if (died === undefined) break;
        if (died.stat(segmentPath(DIRECTORY, damaged.segmentId))?.sizeBytes === damaged.offset)
          break;
        await expect(
          open(died, { recovery: 'strict' }),
          `${name}, killed at step ${step}`,
        ).rejects.toMatchObject({ code: 'TORN_TAIL' });
      }
    }
  });

  test('never cuts bytes whose copy might not outlive a power cut, whichever process made the copy', async () => {
    const violations: string[] = [];
    for (const { name, files } of recovering) {
      for (let step = 0; ; step++) {
        const copies = new UnsyncedCopies();
        const died = await openAndDie(copies.watch(memoryCopy(files, DIRECTORY)), step);
        if (died === undefined) break;
        await open(copies.watch(died));
        for (const path of copies.unsyncedAtCuts)
          violations.push(`${name}, killed at step ${step}: ${path}`);
      }
    }
    expect(violations).toEqual([]);
  });
});

/**
 * Which names and contents in quarantine a power cut could still undo whenever a segment is cut.
 */
class UnsyncedCopies {
  readonly unsyncedAtCuts = new Set<string>();
  private readonly names = new Set<string>();
  private readonly contents = new Set<string>();

  watch(fileSystem: MemoryFileSystem): MemoryFileSystem {
    return intercept(fileSystem, (call) => {
      if (call.method === 'truncate') {
        for (const path of [...this.names, ...this.contents]) {
          if (path.startsWith(QUARANTINE)) this.unsyncedAtCuts.add(path);
        }
      }
      const result = call.proceed();
      this.note(call, result);
      return result;
    });
  }

  private note(call: Call, result: unknown): void {
    const [first, second] = call.args as string[];
    switch (call.method) {
      case 'makeDirectory':
        if (result !== undefined) this.names.add(first as string);
        break;
      case 'open':
        if (second === 'create') this.names.add(first as string);
        break;
      case 'rename':
        this.names.delete(first as string);
        this.names.add(second as string);
        if (this.contents.delete(first as string)) this.contents.add(second as string);
        break;
      case 'remove':
        this.names.delete(first as string);
        this.contents.delete(first as string);
        break;
      case 'write':
        this.contents.add(call.path);
        break;
      case 'dataSync':
        this.contents.delete(call.path);
        break;
      case 'directorySync':
        for (const name of this.names) if (dirname(name) === first) this.names.delete(name);
        break;
    }
  }
}
