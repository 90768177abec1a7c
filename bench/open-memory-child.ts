import { openStore } from '../src/engine/index.ts';

/** Opens the store that the first argument names, if any, and prints the largest resident size of this process in bytes. */
const directory = process.argv[2];
if (directory !== undefined) await (await openStore(directory)).close();
process.stdout.write(String(process.resourceUsage().maxRSS * 1024));
