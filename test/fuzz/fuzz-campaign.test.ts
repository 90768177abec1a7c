import { join } from 'node:path';
import { expect, test } from 'vitest';
import { FuzzCampaign } from '../../harness/fuzz/fuzz-campaign.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

test('a process that cannot start ends the campaign, instead of being started for ever', async () => {
  // Beside the sources there is no compiled child.
  const options = { inputs: 1, seed: 1, workers: 1, target: undefined, reproduce: undefined };
  const outDirectory = join(temporaryDirectory(), 'out');
  const campaign = new FuzzCampaign(
    { ...options, outDirectory },
    new AbortController().signal,
    () => {},
  );
  await expect(campaign.run()).rejects.toThrow(
    /ended before its first input: [\s\S]*fuzz-child\.js/,
  );
});
