import { placeName } from '../format/segment-name.ts';
import { StoreError } from '../host/errors.ts';
import type { Damage, Verdict } from './recovery-verdict.ts';

/**
 * The error of an opening that refuses what it found. It says where, why, and which command looks
 * at it.
 */
export function refusal(
  verdict: Verdict,
  directory: string,
  segmentId: number,
  offset: number,
  damage: Damage,
  because: string,
): StoreError {
  const place = placeName(segmentId, offset);
  const details = { path: directory, segmentId, offset, reason: damage };
  const found = `${damage} at ${place} in ${directory} (${because})`;
  const inspect = `Look at it with: npx tidemark hexdump ${directory} ${place}`;
  switch (verdict) {
    case 'corrupt':
      return new StoreError(
        'STORE_CORRUPT',
        `${found}. Nothing was changed. ${inspect}. To rescue every valid record into a new directory: npx tidemark salvage ${directory} NEW_DIRECTORY`,
        details,
      );
    case 'ambiguous':
      return new StoreError(
        'AMBIGUOUS_TAIL',
        `${found}. Nothing was changed. ${inspect}. If it is a torn value, open with { acceptAmbiguousTail: true }; the bytes are kept in quarantine/`,
        details,
      );
    case 'torn':
      return new StoreError(
        'TORN_TAIL',
        `${found}, and recovery is 'strict'. Nothing was changed. ${inspect}. Open with { recovery: 'prefix' } to keep what precedes it`,
        details,
      );
  }
}
