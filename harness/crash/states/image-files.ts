import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import type { DiskImage } from '../../file-systems/disk-image.ts';
import { STORE_DIRECTORY } from './crash-workload.ts';

/**
 * Writes an image as real files: the store into `directory/store`, what lay beside it next to that.
 */
export function writeImage({ files, directories }: DiskImage, directory: string): void {
  const parent = dirname(STORE_DIRECTORY);
  const place = (path: string) => join(directory, relative(parent, path));
  for (const path of directories) {
    if (path.startsWith(`${parent}/`)) mkdirSync(place(path), { recursive: true });
  }
  for (const [path, bytes] of files) writeFileSync(place(path), bytes);
}
