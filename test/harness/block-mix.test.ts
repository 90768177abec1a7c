import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { mixInto } from '../../harness/crash/blocks/block-mix.ts';
import { Prng } from '../../harness/prng.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const SECTOR_BYTES = 512;
/** More than the chunk in which images are compared. */
const SECTORS = 1100;

test('each sector of a mixture is that of one image or the other, and both occur', () => {
  const directory = temporaryDirectory();
  const [mixed, later] = [join(directory, 'mixed'), join(directory, 'later')];
  const changed = fc.uniqueArray(fc.nat(SECTORS - 1), { minLength: 40, maxLength: 80 });
  fc.assert(
    fc.property(changed, fc.nat(), (sectors, seed) => {
      const older = Buffer.alloc(SECTORS * SECTOR_BYTES, 'old');
      const newer = Buffer.from(older);
      for (const sector of sectors) newer[sector * SECTOR_BYTES + (seed % SECTOR_BYTES)] = 1;
      writeFileSync(mixed, older);
      writeFileSync(later, newer);
      expect(mixInto(mixed, later, Prng.seeded(seed))).toBe(sectors.length);
      const result = readFileSync(mixed);
      const sectorOf = (bytes: Buffer, sector: number) =>
        bytes.subarray(sector * SECTOR_BYTES, (sector + 1) * SECTOR_BYTES);
      let newerCount = 0;
      for (let sector = 0; sector < SECTORS; sector++) {
        const bytes = sectorOf(result, sector);
        if (sectorOf(older, sector).equals(bytes)) continue;
        expect(sectorOf(newer, sector).equals(bytes)).toBe(true);
        newerCount++;
      }
      expect(newerCount).toBeGreaterThan(0);
      expect(newerCount).toBeLessThan(sectors.length);
    }),
    { numRuns: 20 },
  );
});
