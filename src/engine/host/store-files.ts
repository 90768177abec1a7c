import { closeQuietly, type FileSystem, type OpenMode, openIfPresent } from './file-system.ts';

/**
 * The files of one store: where they are, and how many of them are held open by scans, seals,
 * merges, scrubs and backups, that is by all that do not read single records or append.
 */
export class StoreFiles {
  readonly fileSystem: FileSystem;
  readonly directory: string;
  private opened = 0;

  constructor(fileSystem: FileSystem, directory: string) {
    this.fileSystem = fileSystem;
    this.directory = directory;
  }

  /** Files held open. */
  get openCount(): number {
    return this.opened;
  }

  /** Opens a file that `close` must be called for. */
  open(path: string, mode: OpenMode): number {
    const descriptor = this.fileSystem.open(path, mode);
    this.opened++;
    return descriptor;
  }

  close(descriptor: number): void {
    closeQuietly(this.fileSystem, descriptor);
    this.opened--;
  }

  /** Opens a file, uses it, and closes it. */
  async use<T>(path: string, mode: OpenMode, work: (descriptor: number) => Promise<T>): Promise<T> {
    const descriptor = this.open(path, mode);
    try {
      return await work(descriptor);
    } finally {
      this.close(descriptor);
    }
  }

  /** The same to read; undefined when there is no such file. */
  async useIfPresent<T>(
    path: string,
    work: (descriptor: number) => Promise<T>,
  ): Promise<T | undefined> {
    const descriptor = openIfPresent(this.fileSystem, path);
    if (descriptor === undefined) return undefined;
    this.opened++;
    try {
      return await work(descriptor);
    } finally {
      this.close(descriptor);
    }
  }
}
