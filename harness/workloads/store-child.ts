import { readdirSync, readlinkSync, readSync, realpathSync, writevSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { AdapterError } from '../adapter-error.ts';
import { loadAdapterModule } from '../adapters/load-adapter.ts';
import type { DeclaredContract } from '../contract.ts';
import { printableKey } from '../keyed-values.ts';
import type { OpenStoreUnderTest, StoreUnderTest } from '../store-under-test.ts';
import { HOSTILE_KEY_COUNT, HostileValues, type Outcome } from './hostile-values.ts';
import { PossibleState } from './possible-state.ts';
import type { LookTask, ProbeTask, StoreTask, WorkTask } from './store-process.ts';
import { KEY_COUNT, type WorkStep, type Write, workSteps } from './work-steps.ts';

/**
 * The process that has the store under test open. It writes a line only once what it says has
 * happened, in one blocking call, so that whoever reads it knows. `writev` and not `write`, so that
 * a fault that is injected into the store's writes never meets a line.
 */
const STANDARD_OUTPUT = 1;
const LINE_FEED = Buffer.from('\n');
/** A store may close its files a little after its close has ended. */
const CLOSE_ATTEMPTS = 20;
const CLOSE_PAUSE_MS = 25;

/** The store did what no store may do; the message goes to whoever judges. */
class Broken extends Error {
  readonly promise: string;

  constructor(promise: string, message: string) {
    super(message);
    this.promise = promise;
  }
}

function tell(line: string): void {
  let left: Buffer[] = [Buffer.from(line), LINE_FEED];
  while (left.length > 0) {
    try {
      left = behind(left, writevSync(STANDARD_OUTPUT, left));
    } catch (error) {
      // Something in this process has made the pipe non-blocking, and the reader is behind.
      if ((error as { code?: unknown }).code !== 'EAGAIN') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}

/** What is left of buffers of which so many bytes are written. */
function behind(buffers: readonly Buffer[], count: number): Buffer[] {
  let skip = count;
  return buffers.flatMap((buffer) => {
    const rest = buffer.subarray(Math.min(skip, buffer.length));
    skip -= Math.min(skip, buffer.length);
    return rest.length > 0 ? [rest] : [];
  });
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code } = error as { code?: unknown };
  const isSaid = typeof code !== 'string' || error.message.includes(code);
  return isSaid ? error.message : `${code}: ${error.message}`;
}

class StoreWork {
  private readonly task: WorkTask;
  private readonly values: HostileValues;
  private readonly state = new PossibleState();
  private readonly open: OpenStoreUnderTest;
  private store: StoreUnderTest | undefined;

  constructor(task: WorkTask, open: OpenStoreUnderTest) {
    this.task = task;
    this.open = open;
    this.values = new HostileValues(task.seed, KEY_COUNT, task.shape);
    for (const [key, outcome] of task.before) this.state.wrote(key, outcome);
  }

  async run(): Promise<void> {
    const { seed, round, shape, steps = Number.POSITIVE_INFINITY, goesOn, waits } = this.task;
    const { pauseMs = 0 } = this.task;
    tell('opening');
    this.store = await this.open(this.task.directory);
    tell('opened');
    if (waits) readSync(0, Buffer.alloc(1));
    let number = 0;
    for (const step of workSteps(seed, round, shape)) {
      if (number >= steps) break;
      try {
        await this.take(step);
        tell(`ok ${number}`);
      } catch (error) {
        if (error instanceof Broken) throw error;
        tell(`failed ${number} ${JSON.stringify(messageOf(error))}`);
        if (!goesOn)
          throw new Broken('alive', `step ${number} (${step.kind}) failed: ${messageOf(error)}`);
        if (this.store === undefined) return tell('left closed');
      }
      number++;
      // Otherwise a store that answers at once would never let anything else happen.
      if (number % 16 === 0) await delay(pauseMs);
    }
    try {
      await this.close();
      tell('closed');
    } catch (error) {
      if (error instanceof Broken || !goesOn) throw error;
      tell(`failed ${number} ${JSON.stringify(messageOf(error))}`);
    }
  }

  private async take(step: WorkStep): Promise<void> {
    const store = this.store as StoreUnderTest;
    switch (step.kind) {
      case 'write':
        return this.write(step.writes);
      case 'get':
        return this.readKey(step.key);
      case 'sync':
        await store.sync?.();
        return;
      case 'compact':
        await store.compact?.();
        return this.readAll();
      case 'list':
        return this.list();
      case 'iterate':
        return this.iterate(step.writes);
      case 'reopen':
        for (let times = step.twice ? 2 : 1; times > 0; times--) {
          await this.close();
          this.store = await this.open(this.task.directory);
        }
        return this.readAll();
    }
  }

  private async write(writes: readonly Write[]): Promise<void> {
    const store = this.store as StoreUnderTest;
    const begun = writes.map(async ({ key, version }) => {
      const bytes = this.values.keyOf(key);
      if (version === 0) await store.delete(bytes);
      else await store.put(bytes, this.values.valueOf(key, version));
    });
    const ends = await Promise.allSettled(begun);
    const failed = ends.find(({ status }) => status === 'rejected');
    for (const { key, version } of writes) {
      const outcome = this.values.outcomeOf(key, version);
      if (failed === undefined) this.state.wrote(key, outcome);
      else this.state.mayHaveWritten(key, outcome);
    }
    if (failed !== undefined) throw (failed as PromiseRejectedResult).reason;
    // What one of several loses of another shows at once.
    if (writes.length > 1) for (const { key } of writes) await this.readKey(key);
  }

  private async readKey(key: number): Promise<void> {
    const found = await (this.store as StoreUnderTest).get(this.values.keyOf(key));
    const outcome = outcomeOf(this.values, key, found);
    if (!this.state.allows(key, outcome)) {
      const allowed = this.state.of(key).map(describe).join(' or ');
      throw new Broken(
        'reads',
        `get of ${this.values.keyName(key)} gives ${describe(outcome)}, and not ${allowed}`,
      );
    }
    // What was read is what counts from now on.
    this.state.wrote(key, outcome);
  }

  private async readAll(): Promise<void> {
    await this.list();
    for (const key of this.task.shape.keys) await this.readKey(key);
  }

  private async list(): Promise<void> {
    const listed = await listOf(this.store as StoreUnderTest, this.values, this.task.ordered);
    for (const key of this.task.shape.keys) {
      const outcome = listed.get(key) ?? 0;
      if (this.state.allows(key, outcome)) continue;
      const allowed = this.state.of(key).map(describe).join(' or ');
      throw new Broken(
        'reads',
        `entries() shows ${this.values.keyName(key)} with ${describe(outcome)}, and not ${allowed}`,
      );
    }
  }

  /** A listing may show what was written since it began, or not; the writes must be there after. */
  private async iterate(writes: readonly Write[]): Promise<void> {
    const during = new Map(
      writes.map(({ key, version }) => [key, this.values.outcomeOf(key, version)]),
    );
    const before = new Map([...during.keys()].map((key) => [key, this.state.of(key)]));
    let isWritten = false;
    const seen = new Set<number>();
    for await (const [bytes, value] of (this.store as StoreUnderTest).entries()) {
      const key = keyNumberOf(this.values, bytes);
      if (seen.has(key))
        throw new Broken('reads', `a listing shows ${this.values.keyName(key)} twice`);
      seen.add(key);
      const outcome = outcomeOf(this.values, key, value);
      const isLegal =
        before.get(key)?.includes(outcome) ||
        during.get(key) === outcome ||
        (!before.has(key) && this.state.allows(key, outcome));
      if (!isLegal)
        throw new Broken(
          'reads',
          `a listing shows ${this.values.keyName(key)} with ${describe(outcome)}`,
        );
      if (!isWritten) {
        isWritten = true;
        await this.write(writes);
      }
    }
    for (const key of this.task.shape.keys) {
      if (!during.has(key) && !seen.has(key) && !this.state.allows(key, 0))
        throw new Broken('reads', `a listing during writes leaves out ${this.values.keyName(key)}`);
    }
    if (!isWritten) await this.write(writes);
    for (const key of during.keys()) await this.readKey(key);
  }

  private async close(): Promise<void> {
    const store = this.store as StoreUnderTest;
    this.store = undefined;
    await store.close();
    await expectNoDescriptors(this.task.directory);
  }
}

async function look(task: LookTask, open: OpenStoreUnderTest): Promise<void> {
  const { directory, seed, shape, ordered, version } = task;
  const values = new HostileValues(seed, KEY_COUNT, shape);
  tell('opening');
  const store = await open(directory);
  tell('opened');
  const listed = await listOf(store, values, ordered);
  for (const key of shape.keys) {
    const outcome = outcomeOf(values, key, await store.get(values.keyOf(key)));
    if (outcome === (listed.get(key) ?? 0)) continue;
    const shown = describe(listed.get(key) ?? 0);
    throw new Broken(
      'reads',
      `after the crash get of ${values.keyName(key)} gives ${describe(outcome)}, and entries() shows ${shown}`,
    );
  }
  tell(`holds ${JSON.stringify([...listed])}`);
  const key = shape.keys.at(-1) as number;
  try {
    await store.put(values.keyOf(key), values.valueOf(key, version));
    await store.sync?.();
    await store.close();
  } catch (error) {
    throw new Broken(
      'usable',
      `after the crash a put, a sync or a close fails: ${messageOf(error)}`,
    );
  }
  listed.set(key, values.outcomeOf(key, version));
  let again: StoreUnderTest;
  try {
    again = await open(directory);
  } catch (error) {
    throw new Broken(
      'usable',
      `after the crash, a put and a close it does not open: ${messageOf(error)}`,
    );
  }
  const now = await listOf(again, values, ordered);
  for (const key of shape.keys) {
    const [was, is] = [listed.get(key) ?? 0, now.get(key) ?? 0];
    if (was !== is)
      throw new Broken(
        'usable',
        `after the crash, a put and a reopening ${values.keyName(key)} holds ${describe(is)}, and not ${describe(was)}`,
      );
  }
  await again.close();
  tell(`put ${key} ${version}`);
}

async function probe({ directory, seed }: ProbeTask, open: OpenStoreUnderTest): Promise<void> {
  const values = new HostileValues(seed, KEY_COUNT);
  const store = await open(directory);
  const has = {
    sync: store.sync !== undefined,
    compact: store.compact !== undefined,
    contract,
    volatileFiles,
  };
  tell(`has ${JSON.stringify(has)}`);
  const attempt = async (what: string, key: Uint8Array, value: Buffer) => {
    tell(`trying ${what}`);
    try {
      await store.put(key, value);
      await store.delete(key);
      tell(`takes ${what}`);
    } catch (error) {
      tell(`refuses ${what} ${JSON.stringify(messageOf(error))}`);
    }
  };
  const value = Buffer.from('probe');
  for (let key = 0; key < HOSTILE_KEY_COUNT; key++)
    await attempt(String(key), values.keyOf(key), value);
  const plain = values.keyOf(HOSTILE_KEY_COUNT);
  await attempt('empty', plain, Buffer.alloc(0));
  await attempt('large', plain, Buffer.alloc(90_000, 0x5a));
  tell('plain');
  await store.put(plain, value);
  await store.close();
  tell('probed');
}

/** What every key of the listing holds. Throws when the listing contradicts itself. */
async function listOf(
  store: StoreUnderTest,
  values: HostileValues,
  ordered: boolean,
): Promise<Map<number, Outcome>> {
  const listed = new Map<number, Outcome>();
  let last: Uint8Array | undefined;
  for await (const [bytes, value] of store.entries()) {
    const key = keyNumberOf(values, bytes);
    if (listed.has(key)) throw new Broken('reads', `entries() shows ${values.keyName(key)} twice`);
    if (ordered && last !== undefined && Buffer.compare(last, bytes) >= 0)
      throw new Broken(
        'ordered',
        `entries() shows ${printableKey(bytes)} behind ${printableKey(last)}`,
      );
    last = Buffer.from(bytes);
    listed.set(key, outcomeOf(values, key, value));
  }
  return listed;
}

function keyNumberOf(values: HostileValues, bytes: Uint8Array): number {
  const key = values.numberOf(bytes);
  if (key !== undefined) return key;
  throw new Broken(
    'invented',
    `entries() shows the key ${printableKey(bytes)}, which was never put`,
  );
}

function outcomeOf(values: HostileValues, key: number, bytes: Uint8Array | undefined): Outcome {
  if (bytes !== undefined && !(bytes instanceof Uint8Array)) {
    const what = `${values.keyName(key)} holds what is no Uint8Array, and not undefined`;
    throw new Broken('reads', `${what}: ${typeof bytes}`);
  }
  const outcome = values.outcomeIn(key, bytes);
  if (outcome !== undefined) return outcome;
  throw new Broken(
    'invented',
    `${values.keyName(key)} holds ${bytes?.length} bytes that were never put for it`,
  );
}

function describe(outcome: Outcome): string {
  if (outcome === 0) return 'nothing';
  return outcome < 0 ? 'an empty value' : `version ${outcome}`;
}

/** Linux only; elsewhere there is nothing to look at. */
async function expectNoDescriptors(directory: string): Promise<void> {
  const place = realpathSync(directory);
  for (let attempt = 1; ; attempt++) {
    const open = descriptorsIn(place);
    if (open.length === 0) return;
    if (attempt === CLOSE_ATTEMPTS)
      throw new Broken(
        'descriptors',
        `${open.length} descriptors are open after a close: ${open.join(', ')}`,
      );
    await delay(CLOSE_PAUSE_MS);
  }
}

function descriptorsIn(place: string): string[] {
  let numbers: string[];
  try {
    numbers = readdirSync('/proc/self/fd');
  } catch {
    return [];
  }
  return numbers.flatMap((number) => {
    try {
      const path = readlinkSync(`/proc/self/fd/${number}`);
      return path === place || path.startsWith(`${place}/`)
        ? [path.slice(place.length + 1) || '.']
        : [];
    } catch {
      return [];
    }
  });
}

const task = JSON.parse(process.argv[2] as string) as StoreTask;
let contract: DeclaredContract = {};
let volatileFiles: readonly string[] = [];
try {
  const adapter = await loadAdapterModule(task.adapter);
  const { open } = adapter;
  ({ contract, volatileFiles } = adapter);
  if (task.task === 'work') await new StoreWork(task, open).run();
  else if (task.task === 'look') await look(task, open);
  else await probe(task, open);
} catch (error) {
  if (error instanceof AdapterError) tell(`unusable ${JSON.stringify(error.message)}`);
  else if (!(error instanceof Broken)) throw error;
  else tell(`broken ${error.promise} ${JSON.stringify(error.message)}`);
}
// A store may hold timers or threads that keep a process alive.
process.exit();
