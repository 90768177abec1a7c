import { lstatSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

export interface FileOnDisk {
  readonly name: string;
  readonly sizeBytes: number;
  readonly kind: 'file' | 'directory' | 'link' | 'other';
}

/** What lies in a directory, by name. Links are not followed. What it means, `surveyStore` says. */
export function filesIn(directory: string): FileOnDisk[] {
  return readdirSync(directory)
    .sort()
    .flatMap((name): FileOnDisk[] => {
      // A file that a writer removes meanwhile is not there.
      const stat = lstatSync(join(directory, name), { throwIfNoEntry: false });
      if (stat === undefined) return [];
      const kind = stat.isFile()
        ? 'file'
        : stat.isDirectory()
          ? 'directory'
          : stat.isSymbolicLink()
            ? 'link'
            : 'other';
      return [{ name, sizeBytes: stat.size, kind }];
    });
}

/** Names that only a store has. */
const OF_A_STORE = /^(?:(?!0{8})\d{8}\.(?:dwal|seal)|durable-mark)$/;

/**
 * Is there anything that a store is made of, be it damaged? True of a directory that this user may
 * not look into: an opening says so better.
 */
export function hasStore(directory: string): boolean {
  try {
    return readdirSync(directory).some(
      (name) =>
        OF_A_STORE.test(name) &&
        statSync(join(directory, name), { throwIfNoEntry: false })?.isFile() === true,
    );
  } catch (error) {
    return !['ENOENT', 'ENOTDIR'].includes(String((error as NodeJS.ErrnoException).code));
  }
}
