import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

/** The report as it is built: only there lie the page's script and style. */
const DIRECTORY = resolve('dist/harness/soak/report');

async function load(name: string): Promise<unknown> {
  return import(pathToFileURL(`${DIRECTORY}/${name}`).href);
}

export const { writeReport } = (await load(
  'report.js',
)) as typeof import('../../../harness/soak/report/report.ts');
export const { serveLive } = (await load(
  'live-server.js',
)) as typeof import('../../../harness/soak/report/live-server.ts');
