import { closeQuietly, type FileSystem } from './file-system.ts';

/** Who opens files beside the pool, and tells of each. */
export interface DescriptorCounting {
  readonly fileSystem: FileSystem;
  /** To be told 1 for each file that is opened, and -1 when it is closed. */
  readonly onDescriptors: (change: 1 | -1) => void;
}

/** Uses a file that was just opened, and closes it. */
export async function useDescriptor<T>(
  { fileSystem, onDescriptors }: DescriptorCounting,
  descriptor: number,
  use: (descriptor: number) => Promise<T>,
): Promise<T> {
  onDescriptors(1);
  try {
    return await use(descriptor);
  } finally {
    closeQuietly(fileSystem, descriptor);
    onDescriptors(-1);
  }
}
