import { utimesSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openStore } from '../../src/engine/index.ts';
import { rejectionOf } from '../support/rejection.ts';
import { noPidNamespaces, StoreProcess } from '../support/store-process.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const LEASE = '.lock.lock';
const HOUR_MS = 3_600_000;

/** What somebody finds who opens the store after its holder was killed. */
const LEASES: readonly (readonly [string, number | undefined])[] = [
  ['fresh', undefined],
  ['of a time that is still to come', HOUR_MS],
  ['stale', -HOUR_MS],
];

describe.skipIf(noPidNamespaces)('a store that one container after the other opens', () => {
  test.each(LEASES)('opens at once after a kill, when the lease is %s', async (_, offsetMs) => {
    const directory = temporaryDirectory();
    // All of them stay, so that no namespace gets the number of one that is gone.
    const others = await Promise.all([1, 2].map(() => StoreProcess.startInNamespace()));
    const holder = await StoreProcess.startInNamespace();
    await holder.open(directory);
    await holder.call('put', 'key', 'kept');
    await holder.kill();
    if (offsetMs !== undefined) {
      const time = new Date(Date.now() + offsetMs);
      utimesSync(join(directory, LEASE), time, time);
    }
    const next = others[0] as StoreProcess;
    await next.open(directory);
    expect(await next.call('get', 'key')).toBe('kept');
    await next.kill();
    const store = await openStore(directory);
    expect(String(store.get('key'))).toBe('kept');
    await store.close();
  });

  test('is not robbed from one that is stopped, and is not taken for its own', async () => {
    const directory = temporaryDirectory();
    const [holder, other] = await Promise.all([
      StoreProcess.startInNamespace(),
      StoreProcess.startInNamespace(),
    ]);
    await holder.open(directory);
    holder.signal('SIGSTOP');
    await holder.stopped();
    const then = new Date(Date.now() - HOUR_MS);
    utimesSync(join(directory, LEASE), then, then);
    const refusal = await rejectionOf(other.open(directory));
    // Both are process 1 of their namespaces.
    expect(refusal).toMatchObject({ code: 'STORE_LOCKED', holderPid: 1 });
    expect(String(refusal)).not.toContain('this one');
    expect(String(refusal)).toContain('container');
    holder.signal('SIGCONT');
    await holder.call('put', 'key', 'after the stop');
    await holder.call('close');
    await other.open(directory);
    expect(await other.call('get', 'key')).toBe('after the stop');
  });
});
