import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { FIRST_SEGMENT_ID } from '../../../src/engine/format/format.ts';
import { segmentIds, segmentPath } from '../../../src/engine/format/segment-name.ts';
import {
  type BatchOperation,
  openReader,
  openStore,
  type Store,
  type StoreError,
  type StoreReader,
} from '../../../src/engine/index.ts';
import { isMerged, readSealHeader } from '../../../src/engine/seal/seal-file.ts';
import { LivingProcess } from '../../file-systems/living-process.ts';
import { MemoryFileSystem } from '../../file-systems/memory-file-system.ts';
import { Prng } from '../../prng.ts';
import { InvariantBroken } from '../promises/invariants.ts';
import { Followed } from './followed.ts';
import {
  goesOnFrom,
  type KnownRecord,
  LogCourse,
  type State,
  stateOf,
  stateOfPairs,
} from './log-course.ts';
import { noUpkeep, type UpkeepCounts } from './upkeep-counts.ts';
import { damageDirectory, flipBit } from './upkeep-damage.ts';
import {
  codeOf,
  type Expected,
  expectNothingOpen,
  expectState,
  isRecord,
  judgeDamaged,
  judgeSound,
} from './upkeep-judge.ts';
import type { UpkeepStep } from './upkeep-steps.ts';

const STORE = '/store';
const EXPORT = '/export.jsonl';
const KEYS = ['key-0', 'key-1', 'key-2', 'key-3', 'key-4', 'key-5', 'ключ', ''];
/** A backup of a short log makes fewer changes than that. */
const MOST_CHANGES = 40;
const MOST_READERS = 4;
const MOST_FOLLOWERS = 6;

interface KnownBackup {
  /** What it shows; undefined while it is unfinished. */
  records: readonly KnownRecord[] | undefined;
  /** What was begun to be put into it, by the course of the store. */
  readonly attempts: ReadonlySet<LogCourse>;
  /** Was it opened as a store of its own? */
  isOpened: boolean;
  /** What the directory holds, by name. */
  contents: ReadonlyMap<string, Buffer>;
}

interface KnownReader {
  readonly reader: StoreReader;
  shows: State;
  /** Merges and restores that there had been. */
  since: number;
  wasReplaced: boolean;
}

/**
 * Takes the steps on a store in memory, its backups, its readers and its followers, and holds each
 * to what it must show. Throws `InvariantBroken`.
 */
export async function runHistory(
  seed: number,
  steps: readonly UpkeepStep[],
): Promise<UpkeepCounts> {
  const history = new UpkeepHistory(seed);
  try {
    for (const step of steps) await history.take(step);
    await history.end();
    return history.counts;
  } finally {
    history.abandon();
  }
}

class UpkeepHistory {
  readonly counts = noUpkeep();
  private readonly disk = new MemoryFileSystem();
  private readonly options: {
    readonly segmentBytes: number;
    readonly compaction?: {
      readonly auto: { readonly deadRatio: number; readonly minBytes: number };
    };
  };
  private writer = new LivingProcess(this.disk);
  private store: Store | undefined;
  private course = new LogCourse();
  private durable = 0;
  private readonly everything = new Map<string, KnownRecord>();
  private readonly backups = new Map<string, KnownBackup>();
  private readonly readers: KnownReader[] = [];
  private readonly followers: Followed[] = [];
  private hasMerged = false;
  private changesOfFiles = 0;
  private values = 0;
  private names = 0;

  constructor(seed: number) {
    const prng = Prng.seeded(seed);
    const isAutomatic = prng.below(4) === 0;
    this.options = {
      segmentBytes: [200, 400, 400, 900][prng.below(4)] as number,
      ...(isAutomatic ? { compaction: { auto: { deadRatio: 0.2, minBytes: 300 } } } : {}),
    };
    this.hasMerged = isAutomatic;
  }

  async take({ kind, seed }: UpkeepStep): Promise<void> {
    this.counts.steps++;
    await this[kind](Prng.seeded(seed));
    this.expectOldBackups();
  }

  /** Everything ends in order, and is as it was. */
  async end(): Promise<void> {
    this.counts.histories++;
    const store = await this.opened();
    for (const followed of this.followers) {
      await followed.pull(Number.POSITIVE_INFINITY);
      await followed.end('return');
      await followed.reader.close();
    }
    for (const { reader } of this.readers) await reader.close();
    await this.close(store);
    expectNothingOpen(this.disk, 'everything was closed');
    await judgeSound(this.disk, this.expected());
    for (const [directory, { records }] of this.backups)
      if (records !== undefined) await this.expectBackup(directory, records);
  }

  /** Nothing goes on behind a history that was broken off. */
  abandon(): void {
    this.writer.die();
    for (const { reader } of this.readers) void reader.close();
    for (const { reader } of this.followers) void reader.close();
  }

  private expected(what = 'the store'): Expected {
    const { course, durable, everything } = this;
    return { what, directory: STORE, records: course.records, durable, everything };
  }

  // The writer

  private async opened(): Promise<Store> {
    this.store ??= await this.openWriter();
    return this.store;
  }

  private async openWriter(): Promise<Store> {
    if (this.writer.isDead) this.writer = new LivingProcess(this.disk);
    const { fileSystem } = this.writer;
    const store = await openStore(STORE, { fileSystem, ...this.options });
    expectState(stateOfPairs(store.entries()), this.course.state, 'I1', 'the store, opened');
    this.course.nextTxid = store.end.nextTxid;
    this.durable = this.course.records.length;
    return store;
  }

  private async close(store: Store): Promise<void> {
    this.store = undefined;
    await store.close();
    this.durable = this.course.records.length;
  }

  private value(): string {
    const number = this.values++;
    return `${number}:${'.'.repeat((number * 37) % 90)}`;
  }

  private note(store: Store, key: string, value: string | undefined, write: () => void): void {
    this.course.nextTxid = store.end.nextTxid;
    write();
    this.append(key, value);
  }

  private append(key: string, value: string | undefined): void {
    this.course.append(key, value);
    const record = this.course.records.at(-1) as KnownRecord;
    if (value !== undefined) this.everything.set(value, record);
    this.counts.records++;
  }

  private writeOne(store: Store, prng: Prng): void {
    const key = KEYS[prng.below(KEYS.length)] as string;
    if (prng.below(4) === 0) this.note(store, key, undefined, () => store.delete(key));
    else {
      const value = this.value();
      this.note(store, key, value, () => store.put(key, value));
    }
  }

  private async write(prng: Prng): Promise<void> {
    const store = await this.opened();
    for (let count = 1 + prng.below(5); count > 0; count--) this.writeOne(store, prng);
  }

  private operations(prng: Prng): BatchOperation[] {
    return Array.from({ length: 1 + prng.below(8) }, () => {
      const key = KEYS[prng.below(KEYS.length)] as string;
      if (prng.below(4) === 0) return { type: 'del', key };
      return { type: 'put', key, value: this.value() };
    });
  }

  private async batch(prng: Prng): Promise<void> {
    const store = await this.opened();
    const operations = this.operations(prng);
    store.batch(operations);
    this.noteAll(operations);
  }

  private noteAll(operations: readonly BatchOperation[]): void {
    for (const operation of operations)
      this.append(
        String(operation.key),
        operation.type === 'put' ? String(operation.value) : undefined,
      );
  }

  private async rotate(): Promise<void> {
    (await this.opened()).rotate();
  }

  private async sync(): Promise<void> {
    const store = await this.opened();
    const { length } = this.course.records;
    await store.sync();
    this.durable = Math.max(this.durable, length);
  }

  private async merge(prng: Prng): Promise<void> {
    const store = await this.opened();
    const deadRatio = [0.01, 0.1, 0.3][prng.below(3)] as number;
    if (prng.below(2) === 0) store.rotate();
    this.mayHaveMerged();
    const { merges } = await store.compact({ deadRatio });
    this.counts.merges += merges;
    expectState(stateOfPairs(store.entries()), this.course.state, 'I12', 'the store, merged');
  }

  private mayHaveMerged(): void {
    this.hasMerged = true;
    this.changesOfFiles++;
    for (const { reasons } of this.followers) reasons.hasMerged = true;
  }

  private async reopen(prng: Prng): Promise<void> {
    const store = await this.opened();
    if (prng.below(2) === 0) await store.sealsWritten();
    await this.close(store);
    if (prng.below(2) === 0) await this.opened();
  }

  private async kill(): Promise<void> {
    await this.opened();
    await this.died([]);
  }

  /** Kills it in one of the calls that change the disk, while something makes them. */
  private async killIn(prng: Prng): Promise<void> {
    const store = await this.opened();
    const pending: BatchOperation[] = [];
    this.writer.dieIn(1 + prng.below(MOST_CHANGES));
    try {
      switch (prng.below(5)) {
        case 0:
          pending.push(...this.operations(prng));
          store.batch(pending);
          break;
        case 1:
          this.mayHaveMerged();
          store.rotate();
          await store.compact({ deadRatio: 0.01 });
          break;
        case 2:
          store.rotate();
          await store.sealsWritten();
          break;
        case 3:
          this.store = undefined;
          await store.close();
          this.store = await this.openWriter();
          break;
        default:
          await store.compactTo(this.newName('copy'));
      }
    } catch (error) {
      if (!this.writer.isDead) throw error;
    }
    if (this.writer.isDead) await this.died(pending);
    else {
      this.noteAll(pending);
      this.writer.calmDown();
    }
  }

  /** What had returned is there, and of what was under way a prefix. */
  private async died(pending: readonly BatchOperation[]): Promise<void> {
    this.writer.die();
    this.store = undefined;
    this.counts.kills++;
    if (pending.length === 0) return;
    const { value: reader } = await codeOf(() => openReader(STORE, { fileSystem: this.disk }));
    const { nextTxid } = this.course;
    const found = [...(reader?.scan() ?? [])].filter(({ txid }) => txid >= nextTxid);
    await reader?.close();
    this.noteAll(pending.slice(0, found.length));
    const { records } = this.course;
    for (const [index, record] of found.entries()) {
      const known = records[records.length - found.length + index];
      if (known === undefined || !isRecord(record, known))
        throw new InvariantBroken('I3', `record ${record.txid} was never written`);
    }
  }

  // Backups

  private newName(kind: string): string {
    return `/${kind}-${this.names++}`;
  }

  private target(prng: Prng): string {
    const known = [...this.backups.keys()];
    if (known.length === 0 || prng.below(5) < 2) return this.newName('backup');
    return known[prng.below(known.length)] as string;
  }

  private async backup(prng: Prng): Promise<void> {
    await this.backUp(this.target(prng), async () => {});
  }

  private async backupBesideWrites(prng: Prng): Promise<void> {
    await this.backUp(this.target(prng), async (store) => {
      for (let count = 2 + prng.below(6); count > 0; count--) {
        this.writeOne(store, prng);
        if (prng.below(3) === 0) store.rotate();
        for (let turns = prng.below(3); turns > 0; turns--) await nextTurn();
      }
    });
  }

  private async backUp(target: string, meanwhile: (store: Store) => Promise<void>): Promise<void> {
    const store = await this.opened();
    const from = store.end.nextTxid;
    const known = this.backups.get(target);
    const isHidden = this.isHidden(target);
    const done = codeOf(() => store.backup(target));
    await meanwhile(store);
    const { value: report, error } = await done;
    if (report === undefined) {
      this.expectRefusal(target, known, error);
      return;
    }
    const { nextTxid } = report.end;
    if (nextTxid < from)
      throw new InvariantBroken(
        'backup',
        `${target} ends at txid ${nextTxid}, and ${from} was there`,
      );
    const records = this.course.before(nextTxid);
    this.durable = Math.max(this.durable, records.length);
    if (!isHidden) this.expectNotDestroyed(target, known);
    this.counts.backups++;
    if (known?.records !== undefined) this.counts.incremental++;
    await this.expectBackup(target, records);
    const attempts = new Set(known?.attempts).add(this.course);
    this.backups.set(target, {
      records,
      attempts,
      isOpened: false,
      contents: this.contents(target),
    });
  }

  private expectRefusal(
    target: string,
    known: KnownBackup | undefined,
    error: StoreError | undefined,
  ): void {
    const isOfThis =
      known === undefined ||
      (!known.isOpened && [...known.attempts].every((course) => course === this.course));
    if (error?.code !== 'TARGET_NOT_EMPTY' || isOfThis)
      throw new InvariantBroken('backup', `a backup into ${target} ends with ${error}`);
  }

  /**
   * Has a merge replaced a segment of which the target has no seal? Then nothing tells whether what
   * the target holds of it is of another course.
   */
  private isHidden(target: string): boolean {
    const { disk } = this;
    if (disk.stat(target) === undefined) return false;
    return segmentIds(disk.list(target)).some((segmentId) => {
      const seal = readSealHeader(disk, STORE, segmentId);
      const isGone = (disk.stat(segmentPath(STORE, segmentId))?.sizeBytes ?? 0) === 0;
      const isReplaced = isGone || (seal !== undefined && isMerged(seal));
      return isReplaced && readSealHeader(disk, target, segmentId) === undefined;
    });
  }

  /** A backup takes the place of an earlier one whose records it holds, and of no other. */
  private expectNotDestroyed(target: string, known: KnownBackup | undefined): void {
    const isOfAnother =
      known?.records !== undefined && !goesOnFrom(this.course.records, known.records);
    if (known?.isOpened || isOfAnother)
      throw new InvariantBroken('backup', `${target} held what this store does not, and is gone`);
  }

  private async expectBackup(target: string, records: readonly KnownRecord[]): Promise<void> {
    const reader = await openReader(target, { fileSystem: this.disk });
    expectState(stateOfPairs(reader.entries()), stateOf(records), 'backup', target);
    await reader.close();
  }

  /** It dies, or meets a failure, in one of its calls; then it is made again. */
  private async interruptedBackup(prng: Prng): Promise<void> {
    const target = this.target(prng);
    const store = await this.opened();
    const known = this.backups.get(target);
    const isDeath = prng.below(2) === 0;
    const calls = 1 + prng.below(MOST_CHANGES);
    const { failures } = this.writer;
    if (isDeath) this.writer.dieIn(calls);
    else this.writer.failIn(calls, prng.below(2) === 0 ? 'ENOSPC' : 'EIO', target);
    const attempt = [...this.course.records];
    let ended: StoreError | undefined;
    try {
      ended = (await codeOf(() => store.backup(target))).error;
    } catch (error) {
      if (!this.writer.isDead) throw error;
    }
    this.writer.calmDown();
    const hasFailed = this.writer.failures > failures;
    if (this.writer.isDead) await this.died([]);
    else if (store.poisoned !== undefined)
      throw new InvariantBroken('backup', `a backup has poisoned its source: ${store.poisoned}`);
    else if (ended !== undefined && !hasFailed) {
      this.expectRefusal(target, known, ended);
      return;
    }
    this.counts.interrupted++;
    if (this.disk.stat(target) !== undefined) await this.takeUp(target, known, attempt);
    if (prng.below(2) === 0) await this.backUp(target, async () => {});
  }

  /** What an interrupted backup leaves is what was there, or refuses to open, or is whole. */
  private async takeUp(
    target: string,
    known: KnownBackup | undefined,
    attempt: readonly KnownRecord[],
  ): Promise<void> {
    const contents = this.contents(target);
    if (known !== undefined && isEqual(contents, known.contents)) return;
    const { value: reader, code } = await codeOf(() =>
      openReader(target, { fileSystem: this.disk }),
    );
    const attempts = new Set(known?.attempts).add(this.course);
    let records: readonly KnownRecord[] | undefined;
    if (reader !== undefined) {
      const state = stateOfPairs(reader.entries());
      const before = known?.records;
      const isAsBefore = before !== undefined && reader.lastTxid <= (before.at(-1)?.txid ?? 0);
      await reader.close();
      records = isAsBefore ? before : attempt;
      expectState(state, stateOf(records), 'backup', `${target}, interrupted`);
    } else if (code !== 'BACKUP_UNFINISHED' && (known !== undefined || code !== 'NOT_FOUND'))
      throw new InvariantBroken('backup', `${target}, interrupted, ends with ${code}`);
    if (known !== undefined || contents.size > 0)
      this.backups.set(target, { records, attempts, isOpened: known?.isOpened ?? false, contents });
  }

  /** No backup changes but by a backup into it. */
  private expectOldBackups(): void {
    for (const [directory, { contents }] of this.backups)
      if (!isEqual(this.contents(directory), contents))
        throw new InvariantBroken('backup', `${directory} is not what it was`);
  }

  private contents(directory: string): ReadonlyMap<string, Buffer> {
    const names = this.disk.list(directory).sort();
    return new Map(names.map((name) => [name, this.disk.readFile(join(directory, name))]));
  }

  private finished(prng: Prng): [string, readonly KnownRecord[]] | undefined {
    const all = [...this.backups].flatMap(([name, { records, isOpened }]) =>
      records === undefined || isOpened
        ? []
        : [[name, records] as [string, readonly KnownRecord[]]],
    );
    return all[prng.below(Math.max(all.length, 1))];
  }

  /** A backup takes the place of the store: as a directory, file by file, or as a copy of it. */
  private async restore(prng: Prng): Promise<void> {
    const chosen = this.finished(prng);
    if (chosen === undefined) return;
    const [directory, records] = chosen;
    if (this.store !== undefined) {
      if (prng.below(2) === 0) await this.close(this.store);
      else await this.died([]);
    }
    const { disk } = this;
    const way = prng.below(3);
    if (disk.stat(STORE) === undefined) disk.makeDirectory(STORE);
    if (way === 0) {
      disk.rename(STORE, this.newName('old'));
      disk.rename(directory, STORE);
    } else {
      for (const name of disk.list(STORE)) disk.remove(join(STORE, name));
      for (const name of disk.list(directory)) {
        if (way === 1) disk.rename(join(directory, name), join(STORE, name));
        else disk.writeFile(join(STORE, name), disk.readFile(join(directory, name)));
      }
      if (way === 1) disk.removeDirectory(directory);
    }
    if (way !== 2) this.backups.delete(directory);
    this.course = new LogCourse(records);
    this.changesOfFiles++;
    this.hasMerged = true;
    for (const followed of this.followers) followed.replacedBy(this.course);
    for (const known of this.readers) known.wasReplaced = true;
    this.counts.restores++;
    await this.opened();
  }

  private async openBackup(prng: Prng): Promise<void> {
    const chosen = this.finished(prng);
    if (chosen === undefined) return;
    const [directory] = chosen;
    const known = this.backups.get(directory) as KnownBackup;
    const store = await openStore(directory, { fileSystem: this.disk });
    if (prng.below(2) === 0) store.put('elsewhere', 'a value');
    await store.close();
    known.isOpened = true;
    known.records = undefined;
    known.contents = this.contents(directory);
  }

  // Looking

  private async verify(): Promise<void> {
    await this.scrub(undefined);
  }

  private async verifyPaced(): Promise<void> {
    await this.scrub(2 ** 26);
  }

  private async scrub(bytesPerSecond: number | undefined): Promise<void> {
    const store = await this.opened();
    this.expectSound(
      await store.verify(bytesPerSecond === undefined ? {} : { bytesPerSecond }),
      'the store',
    );
  }

  private expectSound({ damages }: { readonly damages: readonly unknown[] }, what: string): void {
    this.counts.verifies++;
    if (damages.length > 0)
      throw new InvariantBroken('agree', `verify of ${what} finds ${JSON.stringify(damages)}`);
  }

  private async verifyBesideWrites(prng: Prng): Promise<void> {
    const store = await this.opened();
    const scrub = store.verify();
    for (let count = prng.below(6); count > 0; count--) {
      this.writeOne(store, prng);
      await nextTurn();
    }
    this.expectSound(await scrub, 'a store that is written');
  }

  private async export(): Promise<void> {
    const store = await this.opened();
    await store.exportJsonl(EXPORT);
    const rows = this.exported();
    expectState(new Map(rows), this.course.state, 'outputs', 'an export');
    if (rows.length !== store.size)
      throw new InvariantBroken('outputs', `${rows.length} rows of ${store.size} keys`);
    this.counts.exports++;
  }

  private exported(): [string, string][] {
    const text = String(this.disk.readFile(EXPORT));
    const lines = text.split('\n').filter((line) => line !== '');
    return lines.map((line) => {
      const { key_b64, value_b64 } = JSON.parse(line);
      return [String(Buffer.from(key_b64, 'base64')), String(Buffer.from(value_b64, 'base64'))];
    });
  }

  private async import(): Promise<void> {
    if (this.disk.stat(EXPORT) === undefined) await this.export();
    const store = await this.opened();
    const rows = this.exported().map(([key]) => [key, this.value()] as const);
    const b64 = (text: string) => Buffer.from(text).toString('base64');
    const lines = rows.map(([key, value]) => ({ key_b64: b64(key), value_b64: b64(value) }));
    const text = lines.map((line) => `${JSON.stringify(line)}\n`).join('');
    this.disk.writeFile('/import.jsonl', Buffer.from(text));
    this.course.nextTxid = store.end.nextTxid;
    await store.importJsonl('/import.jsonl');
    for (const [key, value] of rows) this.append(key, value);
    this.durable = this.course.records.length;
    this.counts.imports++;
  }

  private async copy(): Promise<void> {
    const store = await this.opened();
    const target = this.newName('copy');
    await store.compactTo(target);
    await this.expectBackup(target, this.course.records);
    const { code } = await codeOf(() => store.compactTo(target));
    if (code !== 'TARGET_NOT_EMPTY')
      throw new InvariantBroken('outputs', `a copy into a copy ends with ${code}`);
    this.counts.copies++;
  }

  private async judge(): Promise<void> {
    await this.opened();
    await judgeSound(this.disk, this.expected());
    this.counts.judged++;
    this.counts.salvages++;
  }

  private async judgeBackup(prng: Prng): Promise<void> {
    const chosen = this.finished(prng);
    if (chosen !== undefined) await this.judgeBackupAt(...chosen);
  }

  private async judgeBackupAt(directory: string, records: readonly KnownRecord[]): Promise<void> {
    await judgeSound(this.disk, this.expectedAt(directory, records, directory));
    this.counts.judged++;
    this.counts.salvages++;
  }

  private expectedAt(directory: string, records: readonly KnownRecord[], what: string): Expected {
    const { everything } = this;
    return { what, directory, records, durable: records.length, everything };
  }

  private async damage(prng: Prng): Promise<void> {
    await this.opened();
    await this.damageAt(prng, this.expected());
  }

  private async damageBackup(prng: Prng): Promise<void> {
    const chosen = this.finished(prng);
    if (chosen === undefined) return;
    const [directory, records] = chosen;
    await this.damageAt(prng, this.expectedAt(directory, records, directory));
  }

  private async damageAt(prng: Prng, expected: Expected): Promise<void> {
    // What is put back is older: what is newer, and whole, shows what came later.
    const others = [...this.backups].flatMap(([directory, { records }]) =>
      directory !== expected.directory &&
      records !== undefined &&
      goesOnFrom(expected.records, records)
        ? [directory]
        : [],
    );
    const copy = this.disk.afterProcessDeath();
    const words = damageDirectory(copy, expected.directory, others, prng);
    if (words === undefined) return;
    const what = `${expected.what}, ${words}`;
    if (await judgeDamaged(copy, { ...expected, what })) this.counts.noticed++;
    this.counts.damaged++;
    this.counts.salvages++;
  }

  /** A byte changes under an opened store; a scrub says where. */
  private async damageInUse(prng: Prng): Promise<void> {
    await this.opened();
    const copy = this.disk.afterProcessDeath();
    const store = await openStore(STORE, { fileSystem: copy });
    const segments = segmentIds(copy.list(STORE)).filter(
      (id) => (copy.stat(segmentPath(STORE, id))?.sizeBytes ?? 0) > 0,
    );
    const segmentId = segments[prng.below(Math.max(segments.length, 1))];
    if (segmentId !== undefined) {
      const { offset } = flipBit(copy, segmentPath(STORE, segmentId), prng);
      const { damages } = await store.verify();
      const isNamed = damages.some(
        (damage) =>
          damage.segmentId === segmentId &&
          damage.what !== 'contradicts-seal' &&
          damage.offset <= offset &&
          offset < damage.offset + damage.byteLength,
      );
      if (!isNamed)
        throw new InvariantBroken(
          'agree',
          `byte ${offset} of segment ${segmentId} has changed, and verify finds ${JSON.stringify(damages)}`,
        );
      this.counts.damaged++;
      this.counts.noticed++;
    }
    await store.close();
    expectNothingOpen(copy, 'a store with damage');
  }

  // Readers and followers

  private async openReader(): Promise<void> {
    await this.opened();
    if (this.readers.length >= MOST_READERS) await this.closeReader();
    const reader = await openReader(STORE, { fileSystem: this.disk });
    const known = {
      reader,
      shows: this.course.state,
      since: this.changesOfFiles,
      wasReplaced: false,
    };
    this.readers.push(known);
    this.expectShown(known, 'a new reader');
  }

  private reader(prng: Prng): KnownReader | undefined {
    return this.readers[prng.below(Math.max(this.readers.length, 1))];
  }

  private async closeReader(): Promise<void> {
    await this.readers.shift()?.reader.close();
  }

  private async refresh(prng: Prng): Promise<void> {
    const known = this.reader(prng);
    if (known === undefined || this.disk.stat(STORE) === undefined) return;
    try {
      await Promise.all([known.reader.refresh(), known.reader.refresh()]);
    } catch (error) {
      this.expectGone(known, error);
      this.readers.splice(this.readers.indexOf(known), 1);
      await known.reader.close();
      return;
    }
    known.shows = this.course.state;
    known.since = this.changesOfFiles;
    this.counts.refreshes++;
    this.expectShown(known, 'a reader, refreshed');
  }

  private async read(prng: Prng): Promise<void> {
    const known = this.reader(prng);
    if (known === undefined) return;
    try {
      this.expectShown(known, 'a reader');
    } catch (error) {
      this.expectGone(known, error);
    }
  }

  private expectShown({ reader, shows }: KnownReader, what: string): void {
    expectState(stateOfPairs(reader.entries()), shows, 'reader', what);
    if (reader.size !== shows.size)
      throw new InvariantBroken('reader', `${what} has ${reader.size} keys of ${shows.size}`);
  }

  /** A snapshot may be gone where files were replaced since. */
  private expectGone({ since, wasReplaced }: KnownReader, error: unknown): void {
    if (error instanceof InvariantBroken) throw error;
    const { code } = error as StoreError;
    const hasChanged = since !== this.changesOfFiles || this.options.compaction !== undefined;
    const isGone = code === 'SNAPSHOT_GONE' && hasChanged;
    if (!isGone && !(wasReplaced && code === 'STORE_MOVED'))
      throw new InvariantBroken('reader', `a reader fails: ${error}`);
  }

  private async verifyReader(prng: Prng): Promise<void> {
    const known = this.reader(prng);
    if (known === undefined) return;
    try {
      this.expectSound(await known.reader.verify(), 'a reader');
    } catch (error) {
      this.expectGone(known, error);
    }
  }

  private async follow(prng: Prng): Promise<void> {
    await this.opened();
    if (this.followers.length >= MOST_FOLLOWERS) await this.endFollower(prng);
    const reader = await openReader(STORE, { fileSystem: this.disk, keys: false });
    const { records } = this.course;
    const some = records[prng.below(Math.max(records.length, 1))]?.txid ?? 1;
    const fromTxid = [1, reader.lastTxid + 1, some][prng.below(3)] as number;
    const { hasMerged } = this;
    const reasons = { hasMerged, wasReplaced: false, hasGaps: () => this.hasGaps() };
    this.followers.push(new Followed(reader, this.course, fromTxid, reasons, this.counts));
  }

  /** A segment that is empty, or was removed in front of the others, may have held something. */
  private hasGaps(): boolean {
    const { disk } = this;
    const ids = segmentIds(disk.list(STORE));
    const isEmpty = (id: number) => disk.stat(segmentPath(STORE, id))?.sizeBytes === 0;
    return ids[0] !== FIRST_SEGMENT_ID || ids.some(isEmpty);
  }

  private async pull(prng: Prng): Promise<void> {
    const most = prng.below(3) === 0 ? Number.POSITIVE_INFINITY : 1 + prng.below(8);
    const followed = this.followers[prng.below(Math.max(this.followers.length, 1))];
    await followed?.pull(most);
  }

  private async endFollower(prng: Prng): Promise<void> {
    const [followed] = this.followers.splice(prng.below(Math.max(this.followers.length, 1)), 1);
    await followed?.end((['return', 'throw', 'close'] as const)[prng.below(3)] as 'return');
    await followed?.reader.close();
  }
}

function isEqual(a: ReadonlyMap<string, Buffer>, b: ReadonlyMap<string, Buffer>): boolean {
  return a.size === b.size && [...a].every(([name, bytes]) => b.get(name)?.equals(bytes) === true);
}
