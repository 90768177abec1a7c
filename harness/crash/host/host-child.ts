import { writeSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { NodeFileSystem, openStore, type Store } from '../../../src/engine/index.ts';
import { Prng } from '../../prng.ts';
import {
  HOST_MOST_AT_ONCE,
  HOST_OPTIONS,
  hostKey,
  hostValue,
  type WriterSetup,
} from './host-protocol.ts';

/**
 * A process that writes a store until it is told to end, is refused, or is killed. It tells what it
 * does in lines, each with one system call, so that what was told before a kill is told.
 */
const setup = JSON.parse(process.argv[2] as string) as WriterSetup;
const prng = Prng.seeded(setup.seed);
let isEnding = false;
process.stdin.on('data', () => {
  isEnding = true;
});

function tell(...words: readonly (string | number)[]): void {
  writeSync(1, `${words.join(' ')}\n`);
}

function told(error: unknown): string {
  const { code, message } = error as { code?: string; message?: string };
  return `${code ?? 'unknown'} ${message ?? error}`.replaceAll('\n', ' ');
}

const fileSystem = new NodeFileSystem();
if (!setup.kernelLocks) fileSystem.tryLock = () => 'unsupported';

const startMs = performance.now();
try {
  const store = await openStore(setup.directory, { ...HOST_OPTIONS, fileSystem });
  tell('opened', Math.ceil(performance.now() - startMs));
  await write(store).catch((error: unknown) => tell('refused', told(error)));
  // Nobody waits for more than the descriptors and the lock.
  await store.close().then(
    () => tell('closed'),
    (error: unknown) => tell('close-failed', told(error)),
  );
} catch (error) {
  tell('failed', told(error));
}
process.exit(0);

async function write(store: Store): Promise<void> {
  let sequence = 0;
  const put = () => {
    sequence++;
    const isHot = prng.below(3) === 0;
    const key = hostKey(setup.prefix, sequence, isHot);
    tell('w', sequence, isHot ? 'hot' : 'own', monotonicMs());
    store.put(key, hostValue(key, sequence));
  };
  while (!isEnding) {
    const burst = 1 + prng.below(HOST_MOST_AT_ONCE);
    for (let count = 0; count < burst; count++) put();
    if (prng.below(20) === 0) store.rotate();
    const durable = sequence;
    await store.sync();
    tell('a', durable);
    await nextTurn();
  }
}

/** The same clock in every process of the machine. */
function monotonicMs(): number {
  return Number(process.hrtime.bigint() / 1_000_000n);
}
