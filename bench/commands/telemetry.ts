import { median } from 'simple-statistics';
import { runTelemetryRows } from '../builds/telemetry.ts';
import { inBenchDirectory } from '../measuring/bench-directory.ts';
import { print } from '../measuring/output.ts';
import { textOf } from '../measuring/table.ts';

export async function runTelemetry({
  dir,
  allowTmpfs = false,
  rounds,
  json,
}: {
  readonly dir: string;
  readonly allowTmpfs?: boolean;
  readonly rounds: number;
  readonly json?: boolean;
}): Promise<void> {
  const rows = await inBenchDirectory(dir, allowTmpfs, (directory) =>
    runTelemetryRows(directory, rounds),
  );
  if (json) {
    print(JSON.stringify({ schema: 2, rows }, null, 2));
    return;
  }
  print(
    `a get of a 100-byte value, each mode in a process of its own; medians of ${rounds} interleaved rounds in each of ${rows[0]?.launchesNs.length} launches\n`,
  );
  const lines = rows.map(({ name, launchesNs, ratio, addedNs, target }) => [
    name,
    median(launchesNs.flat()).toFixed(0),
    ratio.toFixed(2),
    addedNs.toFixed(0),
    target,
  ]);
  print(textOf({ head: ['probe', 'ns', 'x none', 'added ns', 'reach'], lines }));
}
