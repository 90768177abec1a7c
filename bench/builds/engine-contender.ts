import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type GroupName, groupEntry } from '../groups/groups.ts';
import type { ContenderSpec } from '../measuring/contender.ts';
import type { Engine, Group } from '../measuring/group.ts';

interface EngineInput {
  readonly engineUrl: string;
  readonly group: GroupName;
  readonly directory: string;
  readonly scale: number;
}

/** The engine that this benchmark was built with. */
export const OWN_ENGINE_URL = new URL('../../src/engine/index.js', import.meta.url).href;

/** The engine in the `dist` directory of another checkout. */
export function engineUrlOf(distDirectory: string): string {
  return pathToFileURL(join(distDirectory, 'src', 'engine', 'index.js')).href;
}

/** A process that measures one row group of one engine. */
export function engineContender(label: string, input: EngineInput): ContenderSpec {
  return { label, moduleUrl: import.meta.url, input };
}

/** Called in the process. */
export async function setUp({ engineUrl, group, directory, scale }: EngineInput): Promise<Group> {
  const engine = (await import(engineUrl)) as Engine;
  return groupEntry(group).setUp({ engine, engineUrl, directory, scale });
}
