import { expect, test } from 'vitest';
import {
  ABSENT,
  EMPTY,
  HOSTILE_KEY_COUNT,
  HostileValues,
} from '../../../harness/workloads/hostile-values.ts';
import { type WorkStep, workSteps } from '../../../harness/workloads/work-steps.ts';

const KEY_COUNT = 40;
const values = new HostileValues(3, KEY_COUNT);
const numbers = Array.from({ length: KEY_COUNT }, (_, key) => key);

test('every key is another, is found by its bytes, and belongs to whoever asks', () => {
  expect(new Set(numbers.map((key) => values.keyOf(key).toString('latin1'))).size).toBe(KEY_COUNT);
  for (const key of numbers) {
    const bytes = values.keyOf(key);
    expect(values.numberOf(bytes)).toBe(key);
    if (bytes.length === 0) continue;
    bytes.fill(0);
    expect(values.numberOf(values.keyOf(key))).toBe(key);
  }
  expect(values.numberOf(Buffer.from(`key-${KEY_COUNT}`))).toBeUndefined();
  expect(values.numberOf(Buffer.from('key-5'))).toBeUndefined();
  expect(values.numberOf(Buffer.from('key-05'))).toBeUndefined();
});

test('there are keys that become the same when they pass through UTF-8', () => {
  const asText = numbers.map((key) => values.keyOf(key).toString('utf8'));
  expect(new Set(asText).size).toBeLessThan(KEY_COUNT);
});

test('bytes say which version of a key they are, and those of another key or a part say nothing', () => {
  let empty = 0;
  for (let version = 1; version < 200; version++) {
    const bytes = values.valueOf(20, version);
    expect(values.outcomeIn(20, bytes)).toBe(values.outcomeOf(20, version));
    expect(values.differenceFrom(20, version, bytes)).toBeUndefined();
    if (bytes.length === 0) {
      empty++;
      continue;
    }
    expect(values.outcomeIn(21, bytes)).toBeUndefined();
    expect(values.outcomeIn(20, bytes.subarray(1))).toBeUndefined();
    expect(values.differenceFrom(20, version + 1, bytes)).toBeDefined();
  }
  expect(empty).toBeGreaterThan(5);
  expect(values.outcomeIn(20, undefined)).toBe(ABSENT);
  expect(values.outcomeIn(20, Buffer.alloc(0))).toBe(EMPTY);
});

test('a store that takes no empty or large values is given none', () => {
  const small = new HostileValues(3, KEY_COUNT, { takesEmpty: false, takesLarge: false });
  for (let version = 1; version < 500; version++) {
    const { length } = small.valueOf(HOSTILE_KEY_COUNT, version);
    expect(length).toBeGreaterThan(0);
    expect(length).toBeLessThan(10_000);
  }
});

function firstSteps(seed: number, concurrent: boolean, syncs = true): WorkStep[] {
  const shape = {
    keys: numbers,
    concurrent,
    syncs,
    compacts: false,
    takesEmpty: true,
    takesLarge: true,
  };
  const steps = workSteps(seed, 1, shape);
  return Array.from({ length: 400 }, () => steps.next().value);
}

test('a workload follows from its seed, and has every kind of step that the store takes', () => {
  expect(firstSteps(5, true)).toEqual(firstSteps(5, true));
  expect(firstSteps(5, true)).not.toEqual(firstSteps(6, true));
  const kinds = new Set(firstSteps(5, true).map(({ kind }) => kind));
  expect([...kinds].toSorted()).toEqual(['get', 'iterate', 'list', 'reopen', 'sync', 'write']);
  expect(firstSteps(5, true, false).some(({ kind }) => kind === 'sync')).toBe(false);
});

test('writes overlap only where the store allows it, never two of one key, and no version comes twice', () => {
  const writesOf = (steps: WorkStep[]) =>
    steps.flatMap((step) => ('writes' in step ? [step.writes] : []));
  expect(writesOf(firstSteps(5, false)).every(({ length }) => length === 1)).toBe(true);
  const groups = writesOf(firstSteps(5, true));
  expect(groups.some(({ length }) => length > 2)).toBe(true);
  for (const group of groups) expect(new Set(group.map(({ key }) => key)).size).toBe(group.length);
  const versions = groups.flat().flatMap(({ version }) => (version === 0 ? [] : [version]));
  expect(new Set(versions).size).toBe(versions.length);
});
