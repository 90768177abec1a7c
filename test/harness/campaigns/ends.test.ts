import { describe, expect, test } from 'vitest';
import {
  ENDINGS,
  endEverywhere,
  leaveIterators,
  storeToEnd,
} from '../../../harness/crash/plants/ends.ts';

/** Every seventh call, beginning with the first; each run is an opening, an end and an opening. */
const STRIDE = 7;
const base = await storeToEnd();

describe('whatever takes time ends at once, and its store goes on', () => {
  test.each(ENDINGS.filter(({ takesSignal }) => takesSignal))(
    '$name, by its signal',
    async (ending) => {
      const { ends, early } = await endEverywhere(ending, 'signal', base, STRIDE);
      // Where there is one slice, only what is aborted before comes in time.
      expect(Math.min(ends, early)).toBeGreaterThan(1);
    },
  );

  test.each(ENDINGS.filter(({ of }) => of !== 'nobody'))('$name, by a close', async (ending) => {
    const { ends, early } = await endEverywhere(ending, 'close', base, STRIDE);
    expect(early).toBeGreaterThan(0);
    expect(ends).toBeGreaterThan(early);
  });

  test('iterators, by return and by throw', async () => {
    expect(await leaveIterators(base)).toBeGreaterThan(20);
  });
});
