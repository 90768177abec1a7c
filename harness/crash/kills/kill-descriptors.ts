import { readdirSync, readlinkSync } from 'node:fs';

const OWN_DESCRIPTORS = '/proc/self/fd';

/**
 * What this process holds open below a directory, as the kernel names it; undefined where nothing
 * tells.
 */
export function storeDescriptors(directory: string): string[] | undefined {
  let names: string[];
  try {
    names = readdirSync(OWN_DESCRIPTORS);
  } catch {
    return undefined;
  }
  return names.map(targetOf).filter((target) => target.startsWith(`${directory}/`));
}

function targetOf(descriptor: string): string {
  try {
    return readlinkSync(`${OWN_DESCRIPTORS}/${descriptor}`);
  } catch {
    // The one that the list was read through.
    return '';
  }
}
