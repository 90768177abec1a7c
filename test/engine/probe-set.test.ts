import { describe, expect, test } from 'vitest';
import { NOT_TIMED, operationKey, type Probe } from '../../src/engine/host/probe.ts';
import { ProbeSet, partDuration, partStart } from '../../src/engine/host/probe-set.ts';
import type { StoreEvent } from '../../src/engine/host/store-event.ts';

const ROTATED: StoreEvent = { kind: 'rotated', sealedSegmentId: 1, newSegmentId: 2 };

/** A set whose next operation has this number. */
function setAt(next: number, ...probes: Probe[]): ProbeSet {
  const set = ProbeSet.of(probes) as ProbeSet;
  Object.assign(set, { operations: next - 2 });
  return set;
}

describe('probe set', () => {
  test.each([2 ** 31, 2 ** 32, 2 ** 52])(
    'operation %d has the key that its beginning was told',
    (next) => {
      const began: number[] = [];
      const set = setAt(next, { began: (operation) => began.push(operation) > 0 });
      const operation = set.begin('get');
      expect(began).toEqual([next]);
      expect(operationKey(operation)).toBe(next);
      expect(partStart(operation)).toBeGreaterThan(0);
      expect(partDuration(operation, 0)).toBeGreaterThan(0);
    },
  );

  test('an operation is timed when one of the probes asks for it, and not otherwise', () => {
    const asking = { began: () => true };
    const declining = { began: () => false };
    for (const probes of [[asking], [asking, declining], [declining, asking]]) {
      expect(partStart(setAt(2, ...probes).begin('get'))).toBeGreaterThan(0);
    }
    for (const probes of [[{}], [declining], [declining, {}]]) {
      const operation = setAt(2, ...probes).begin('get');
      expect(partStart(operation)).toBe(0);
      expect(partDuration(operation, 0)).toBe(NOT_TIMED);
    }
  });

  test('a probe that throws in any event is counted, and those beside it are told all the same', () => {
    const told: string[] = [];
    const throwing = {
      began: () => fail('began'),
      got: () => fail('got'),
      read: () => fail('read'),
      crcValidated: () => fail('crcValidated'),
      appended: () => fail('appended'),
      event: () => fail('event'),
    };
    const listening = {
      began: () => told.push('began') > 0,
      got: () => void told.push('got'),
      read: () => void told.push('read'),
      crcValidated: () => void told.push('crcValidated'),
      appended: () => void told.push('appended'),
      event: ({ kind }: StoreEvent) => void told.push(kind),
    };
    const set = setAt(2, throwing, listening);
    const operation = set.begin('get');
    set.read(operation, 'get', 1, 0, 30, 0, 1, undefined);
    set.crcValidated(operation, 'get', true, 30, 0, 1);
    set.got(operation, true, 0, 1, undefined);
    set.appended(operation, 'put', 30, 2, 0, 1, undefined);
    set.event?.(ROTATED);
    expect(told).toEqual(['began', 'read', 'crcValidated', 'got', 'appended', 'rotated']);
    expect(partStart(operation)).toBeGreaterThan(0);
    expect(set.errors).toBe(6);
  });

  test('a method is called with its probe as `this`, and with what the engine said', () => {
    class Keeping implements Probe {
      readonly kept: unknown[] = [];
      read(...said: unknown[]): void {
        this.kept.push(said);
      }
      event(...said: unknown[]): void {
        this.kept.push(said);
      }
    }
    const probe = new Keeping();
    const set = setAt(2, probe);
    set.read(2, 'scan', 3, 4, 5, 6, 7, undefined);
    set.event?.(ROTATED);
    expect(probe.kept.map((said) => (said as unknown[]).slice(0, 5))).toEqual([
      [2, 'scan', 3, 4, 5],
      [ROTATED],
    ]);
  });

  test('a method that is an async function and rejects is counted as if it had thrown', async () => {
    const rejecting = async (): Promise<never> => fail('later');
    const probe = {
      detach: rejecting,
      began: rejecting,
      got: rejecting,
      read: rejecting,
      crcValidated: rejecting,
      appended: rejecting,
      event: rejecting,
    };
    const set = setAt(2, probe as unknown as Probe);
    const operation = set.begin('get');
    expect(partStart(operation)).toBe(0);
    set.read(operation, 'get', 1, 0, 30, 0, 1, undefined);
    set.crcValidated(operation, 'get', true, 30, 0, 1);
    set.got(operation, true, 0, 1, undefined);
    set.appended(operation, 'put', 30, 2, 0, 1, undefined);
    set.event?.(ROTATED);
    set.detach();
    await new Promise(setImmediate);
    expect(set.errors).toBe(7);
  });

  test('no event is made for probes that do not listen to any', () => {
    expect(setAt(2, { got: () => {} }).event).toBeUndefined();
  });
});

function fail(event: string): never {
  throw new Error(event);
}
