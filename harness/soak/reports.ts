import { writeFileSync } from 'node:fs';
import type { SoakOptions } from './options/options.ts';
import { writeReport } from './report/report.ts';
import { benchmarkJson } from './result/benchmark-json.ts';
import type { RunDirectories } from './result/directories.ts';
import { appendHistory } from './result/history.ts';
import { junitOf } from './result/junit.ts';
import type { Metric } from './result/metrics.ts';
import { writeStepSummary } from './result/step-summary.ts';
import type { Summary } from './result/summary.ts';

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
