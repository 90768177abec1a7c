import { parseCampaignOptions } from '../crash/campaign/campaign-options.ts';
import type { CrashSummary } from '../crash/campaign/crash-report.ts';
import { crash as runCrash } from '../crash/crash.ts';
import { ReportDirectory } from './report-directory.ts';
import { type CrashRequest, crashWords } from './request.ts';

/**
 * Kills a store, cuts its power at every moment of seeded workloads and makes its system calls
 * fail, and holds what it then says against what it had promised. Resolves to what `summary.json`
 * holds, whatever the verdict is: `assertPassed` throws unless it passed. Rejects with `TypeError`,
 * `UsageError`, `ContractError` or `AdapterError` for a request that cannot be.
 */
export async function crash(request: CrashRequest = {}): Promise<CrashSummary> {
  const { signal = new AbortController().signal, onProgress } = request;
  const directory = new ReportDirectory(request.out);
  const startMs = performance.now();
  const tell = (line: string) =>
    onProgress?.({ elapsedS: (performance.now() - startMs) / 1000, line });
  try {
    const options = parseCampaignOptions(crashWords(request, directory.path));
    if (options === undefined) throw new TypeError('crash: the request is for something else');
    const { summary } = await runCrash(options, {
      signal,
      progress: { print: tell, update: tell },
    });
    return summary;
  } finally {
    directory[Symbol.dispose]();
  }
}
