import { formatBytes } from '../../harness/units.ts';
import { inBenchDirectory } from '../measuring/bench-directory.ts';
import { measureObserverOverhead } from '../measuring/observer-overhead.ts';
import { print, progress } from '../measuring/output.ts';

export async function runObserver({
  dir,
  allowTmpfs = false,
  pairs: pairCount,
  bytes,
  json,
}: {
  readonly dir: string;
  readonly allowTmpfs?: boolean;
  readonly pairs: number;
  readonly bytes: number;
  readonly json?: boolean;
}): Promise<void> {
  const overhead = await inBenchDirectory(dir, allowTmpfs, (directory) =>
    measureObserverOverhead(directory, pairCount, bytes, (pair) => {
      const [bare, observed] = [pair.bareBytesPerSecond, pair.observedBytesPerSecond].map(
        formatBytes,
      );
      progress(`bare ${bare}/s, observed ${observed}/s with ${pair.samples} samples`);
    }),
  );
  if (json) {
    print(JSON.stringify({ schema: 1, ...overhead }, null, 2));
    return;
  }
  const { value, lower, upper, confidence } = overhead.lost;
  const percent = (share: number) => `${(share * 100).toFixed(1)} %`;
  print(
    `soaks of ${formatBytes(bytes)}, ${pairCount} pairs: one with a sample a second, one with none but at both ends`,
  );
  print(
    `a sample a second takes ${percent(value)} of the throughput, ${percent(lower)} to ${percent(upper)} with ${confidence * 100} % confidence (reach: at most 3 %)`,
  );
}
