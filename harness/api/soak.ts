import { parseOptions } from '../soak/options/options.ts';
import { progressTo } from '../soak/progress.ts';
import type { Summary } from '../soak/result/summary.ts';
import { soak as runSoak } from '../soak/soak.ts';
import { ReportDirectory } from './report-directory.ts';
import { type SoakRequest, soakWords } from './request.ts';

/**
 * Writes and reads a store in a process of its own, watches that process from outside, and compares
 * every key after each reopening and at the end. Resolves to what `summary.json` holds, whatever
 * the verdict is: `assertPassed` throws unless it passed. Rejects with `TypeError` or `UsageError`
 * for a request that cannot be, and with `Refusal` when the run could not begin.
 */
export async function soak(request: SoakRequest = {}): Promise<Summary> {
  const { signal, onProgress } = request;
  const directory = new ReportDirectory(request.out);
  const startMs = performance.now();
  const tell = (line: string) =>
    onProgress?.({ elapsedS: (performance.now() - startMs) / 1000, line });
  try {
    const parsed = parseOptions(soakWords(request, directory.path));
    if (parsed?.kind !== 'soak') throw new TypeError('soak: the request is for something else');
    const { summary } = await runSoak(
      { ...parsed.options, temporaryPath: directory.temporaryPath },
      { progress: progressTo(tell), ...(signal === undefined ? {} : { signal }) },
    );
    // The store of a run that keeps nothing is gone with the rest.
    return request.out === undefined ? { ...summary, storeDirectory: null } : summary;
  } finally {
    directory[Symbol.dispose]();
  }
}
