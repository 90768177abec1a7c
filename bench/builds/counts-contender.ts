import { Contender } from '../measuring/contender.ts';
import { type Count, measureCounts } from '../measuring/counts.ts';
import type { Engine, Group } from '../measuring/group.ts';

interface CountsInput {
  readonly engineUrl: string;
  readonly directory: string;
}

/** Counts in a process of its own, whose heap holds nothing else. */
export async function countsOf(label: string, input: CountsInput): Promise<readonly Count[]> {
  const contender = await Contender.start({ label, moduleUrl: import.meta.url, input });
  await contender.finish();
  return contender.details as readonly Count[];
}

/** Called in the process. */
export async function setUp({
  engineUrl,
  directory,
}: CountsInput): Promise<Group & { details: Count[] }> {
  const engine = (await import(engineUrl)) as Engine;
  return { works: [], details: await measureCounts(engine, directory), finish: async () => {} };
}
