import { setImmediate as nextTurn } from 'node:timers/promises';
import { openStore, type Store } from '../../../src/engine/index.ts';
import type { FixtureFiles } from '../../corpus/fixture.ts';
import { intercept, isChange } from '../../file-systems/intercepted.ts';
import { MemoryFileSystem } from '../../file-systems/memory-file-system.ts';
import { systemError } from '../../file-systems/system-error.ts';
import { filesOf, ROT_DIRECTORY } from './rot-subject.ts';

/** What a store showed after so many operations: values by key. */
export type Shown = ReadonlyMap<string, string>;

/** A moment in the life of a store: its files, and how far its history had come. */
export interface PairMoment {
  readonly files: FixtureFiles;
  readonly written: number;
  readonly durable: number;
}

/** A store at rest whose segments and seals are going to be damaged, two at a time. */
export interface PairSubject {
  readonly name: string;
  readonly files: FixtureFiles;
  /** What it showed before the first operation, then after each. */
  readonly states: readonly Shown[];
  /** Operations that had been acknowledged as durable. */
  readonly durable: number;
  /** How the files were at every change before, the first first. */
  readonly moments: readonly PairMoment[];
}

const KEYS = 9;
const OPERATIONS_A_SEGMENT = 6;

/** A store that writes a history down, and every state of its files. */
class NotedStore {
  readonly moments: PairMoment[] = [];
  readonly states: Shown[] = [new Map()];
  durable = 0;
  /** The disk refuses seals. */
  sealsFail = false;
  private inner = new MemoryFileSystem();
  private store: Store | undefined;
  /** Killed, and not to be left behind by this process. */
  private readonly ghosts: Store[] = [];

  private get open(): Store {
    if (this.store === undefined) throw new Error('the store is not open');
    return this.store;
  }

  async reopen(): Promise<void> {
    const fileSystem = intercept(this.inner, (call) => {
      if (this.sealsFail && call.method === 'open' && call.name.endsWith('.seal.tmp'))
        throw systemError('ENOSPC', call.method);
      const result = call.proceed();
      if (isChange(call)) this.note();
      return result;
    });
    this.store = await openStore(ROT_DIRECTORY, { fileSystem });
  }

  async killAndReopen(): Promise<void> {
    this.ghosts.push(this.open);
    this.inner = this.inner.afterProcessDeath();
    await this.reopen();
  }

  async forget(): Promise<void> {
    for (const ghost of [...this.ghosts, this.open]) await ghost.close();
  }

  /** Overwrites most of what there is, again and again; every seventh operation deletes. */
  fillSegment(salt: string): void {
    for (let count = 0; count < OPERATIONS_A_SEGMENT; count++) {
      const number = this.states.length;
      const key = `key-${(number * 5) % KEYS}`;
      const state = new Map(this.states.at(-1));
      if (number % 7 === 6) state.delete(key);
      else state.set(key, `${salt} ${number}`);
      this.states.push(state);
      const value = state.get(key);
      if (value === undefined) this.open.delete(key);
      else this.open.put(key, value);
      this.note();
    }
  }

  rotate(): void {
    this.open.rotate();
  }

  async sync(): Promise<void> {
    const written = this.states.length - 1;
    await this.open.sync();
    this.durable = written;
    this.note();
  }

  async compact(deadRatio: number): Promise<void> {
    await this.open.compact({ deadRatio });
    this.durable = this.states.length - 1;
    this.note();
  }

  async close(): Promise<void> {
    await this.open.close();
    this.durable = this.states.length - 1;
    this.note();
  }

  /** Returns the store that is found after a SIGKILL now. */
  subject(name: string, moments: readonly PairMoment[] = [...this.moments]): PairSubject {
    const { durable } = this;
    return { name, files: filesOf(this.inner), states: [...this.states], durable, moments };
  }

  private note(): void {
    if (this.inner.stat(ROT_DIRECTORY) === undefined) return;
    const { durable } = this;
    const files = filesOf(this.inner);
    this.moments.push({ files, written: this.states.length - 1, durable });
  }
}

export interface PairSubjects {
  readonly atRest: readonly PairSubject[];
  /** The copy of a store that merges while it is copied. */
  readonly merging: PairSubject;
}

/** Stores that were closed in order, killed before anything was sealed, and merged. */
export async function pairSubjects(): Promise<PairSubjects> {
  const merged = await mergedSubjects();
  return {
    atRest: [await closedSubject(), ...(await killedSubjects()), ...merged],
    merging: merged.at(-1) as PairSubject,
  };
}

async function closedSubject(): Promise<PairSubject> {
  const store = new NotedStore();
  await store.reopen();
  for (const salt of ['one', 'two', 'three', 'four']) {
    if (salt !== 'one') store.rotate();
    store.fillSegment(salt);
  }
  await store.close();
  return store.subject('closed in order');
}

/** The second was killed before, and has left txids out at the end of a segment. */
async function killedSubjects(): Promise<PairSubject[]> {
  const subjects: PairSubject[] = [];
  for (const openings of [1, 2]) {
    const store = new NotedStore();
    store.sealsFail = true;
    for (let opening = 0; opening < openings; opening++) {
      if (opening === 0) await store.reopen();
      else {
        await store.killAndReopen();
        store.rotate();
      }
      for (const salt of ['one', 'two', 'three']) {
        if (salt !== 'one') store.rotate();
        store.fillSegment(salt);
        if (salt !== 'three') await store.sync();
      }
    }
    subjects.push(store.subject(`killed before sealing, ${openings} openings`));
    await store.forget();
  }
  return subjects;
}

/** Killed after every change of the second compaction, and closed in order after a third. */
async function mergedSubjects(): Promise<PairSubject[]> {
  const store = new NotedStore();
  await store.reopen();
  const fill = async (...salts: string[]) => {
    for (const salt of salts) {
      store.fillSegment(salt);
      store.rotate();
    }
    await store.sync();
    await nextTurn();
  };
  await fill('one', 'two', 'three', 'four');
  await store.compact(0.9);
  await fill('five', 'six', 'seven');
  const from = store.moments.length;
  await store.compact(0.2);
  const steps = store.moments.slice(from);
  const { states } = store.subject('');
  const subjects = distinct(steps).map((moment, index): PairSubject => {
    const moments = store.moments.slice(0, from);
    const { files, durable } = moment;
    return { name: `killed in a merge, step ${index + 1}`, files, states, durable, moments };
  });
  await fill('eight', 'nine');
  await store.close();
  await store.reopen();
  store.fillSegment('ten');
  await store.compact(0.3);
  await store.close();
  return [...subjects, store.subject('merged and closed in order')];
}

/** Those whose names or segments are others than at the moment before. */
function distinct(moments: readonly PairMoment[]): PairMoment[] {
  const seen = new Set<string>();
  return moments.filter(({ files }) => {
    const text = [...files]
      .filter(([name]) => !/mark|lock|tmp$/.test(name))
      .map(([name, bytes]) => `${name} ${Buffer.from(bytes).toString('hex')}`)
      .sort()
      .join();
    if (seen.has(text)) return false;
    seen.add(text);
    return true;
  });
}
