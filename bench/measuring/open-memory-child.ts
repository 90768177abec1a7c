import { readFileSync } from 'node:fs';
import type { Engine } from './group.ts';

/**
 * Loads the engine at the URL that the first argument gives, opens the store that the second one
 * names, if any, and prints the largest resident size of this process in bytes.
 */
const [engineUrl, directory] = process.argv.slice(2) as [string, string | undefined];
const { openStore } = (await import(engineUrl)) as Engine;
if (directory !== undefined) await (await openStore(directory)).close();
process.stdout.write(String(peakRssBytes()));

/**
 * `getrusage` counts what the parent had before this program took its place; the kernel's own mark
 * does not.
 */
function peakRssBytes(): number {
  if (process.platform !== 'linux') return process.resourceUsage().maxRSS * 1024;
  const [, kibibytes] = /^VmHWM:\s+(\d+) kB$/m.exec(
    readFileSync('/proc/self/status', 'utf8'),
  ) as RegExpExecArray;
  return Number(kibibytes) * 1024;
}
