import { writeFileSync } from 'node:fs';
import { benchmarkJson } from './benchmark-json.ts';
import type { RunDirectories } from './directories.ts';
import { appendHistory } from './history.ts';
import { junitOf } from './junit.ts';
import type { Metric } from './metrics.ts';
import type { SoakOptions } from './options.ts';
import { writeReport } from './report/report.ts';
import { writeStepSummary } from './step-summary.ts';
import type { Summary } from './summary.ts';

/** Everything that others read of a run. What the history has to say, in words. */
export async function writeReports(
  directories: RunDirectories,
  { outDirectory, benchmarkPath, historyPath }: SoakOptions,
  summary: Summary,
  metrics: readonly Metric[],
): Promise<string[]> {
  directories.writeSummary(summary);
  directories.writeReport('junit.xml', junitOf(summary));
  const benchmark = benchmarkJson(
    metrics,
    `${summary.configuration.adapter}, seed ${summary.seed}`,
  );
  directories.writeReport('benchmark.json', benchmark);
  await directories.attempt(() => {
    if (benchmarkPath !== undefined) writeFileSync(benchmarkPath, benchmark);
  });
  await directories.attempt(() => writeReport(outDirectory));
  await directories.attempt(() => writeStepSummary(summary));
  directories.discardAcknowledgements();
  let warnings: string[] = [];
  await directories.attempt(() => {
    if (historyPath !== undefined) warnings = appendHistory(historyPath, summary, metrics);
  });
  return warnings;
}
