import { expect, test } from 'vitest';
import { runOutside } from '../../../harness/crash/faults/fault-outside.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';

const ONE_OF_EACH = [
  'RLIMIT_FSIZE 20000',
  'RLIMIT_NOFILE 2 more',
  'disk of 160 KiB',
  'fdatasync EIO from call 7 of a thread',
];

test('limits, a full disk and failing system calls end in a typed error, and lose nothing acknowledged', async ({
  annotate,
}) => {
  const results = await runOutside({ directory: temporaryDirectory(), seed: 5 }, (name) =>
    ONE_OF_EACH.includes(name),
  );
  expect(results.map(({ name }) => name)).toEqual(ONE_OF_EACH);
  expect(results.filter(({ status }) => status === 'failed')).toEqual([]);
  for (const { name, status, detail } of results) {
    if (status === 'skipped') await annotate(`${name} skipped: ${detail}`);
    else expect(detail, name).toMatch(/^failed [A-Z_]+ /);
  }
});
