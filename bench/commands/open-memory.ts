import { formatBytes } from '../../harness/units.ts';
import { OWN_ENGINE_URL } from '../builds/engine-contender.ts';
import { inBenchDirectory } from '../measuring/bench-directory.ts';
import { measureOpenMemory } from '../measuring/open-memory.ts';
import { print } from '../measuring/output.ts';

const LOG_BYTES = 1_100_000_000;

export async function runOpenMemory({
  dir,
  allowTmpfs = false,
  keys,
  json,
}: {
  readonly dir: string;
  readonly allowTmpfs?: boolean;
  readonly keys: number;
  readonly json?: boolean;
}): Promise<void> {
  const memory = await inBenchDirectory(dir, allowTmpfs, (directory) =>
    measureOpenMemory(OWN_ENGINE_URL, directory, keys, LOG_BYTES),
  );
  if (json) {
    print(JSON.stringify({ schema: 1, ...memory }, null, 2));
    return;
  }
  const { logBytes, records, keys: live, bareBytes, openBytes } = memory;
  print(`a log of ${formatBytes(logBytes)} with ${records} records of ${live} keys`);
  print(`bare process ${formatBytes(bareBytes)}, opening it ${formatBytes(openBytes)}`);
  print(`added ${formatBytes(openBytes - bareBytes)} (reach: at most 64 MB)`);
}
