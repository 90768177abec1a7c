import { readCampaign } from '../../../../dist/harness/campaign/campaign-file.js';
import { runShard } from '../../../../dist/harness/campaign/run-shard.js';
import { parseShard, unitsOfShard } from '../../../../dist/harness/campaign/shard.js';

/** `made-up-shard.mjs CAMPAIGN SHARD DIRECTORY`: goes on with a shard of made-up parts. */
const [path, text, directory] = process.argv.slice(2);
const campaign = readCampaign(path);
const shard = parseShard(text, {});
await runShard({
  campaign,
  shard,
  units: unitsOfShard(campaign, shard),
  directory,
  resumes: true,
  workers: 2,
  seconds: undefined,
  program: new URL('./made-up-worker.mjs', import.meta.url),
  signal: new AbortController().signal,
  onUnit: () => process.stdout.write('.'),
});
