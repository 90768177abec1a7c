import { closeQuietly, type FileSystem, type OpenMode, openIfPresent } from './file-system.ts';
import { OpenFile } from './open-file.ts';

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
  open(path: string, mode: OpenMode): OpenFile {
    return this.counted(this.fileSystem.open(path, mode));
  }

  /** The same to read; undefined when there is no such file. */
  openIfPresent(path: string): OpenFile | undefined {
    const descriptor = openIfPresent(this.fileSystem, path);
    return descriptor === undefined ? undefined : this.counted(descriptor);
  }

  close({ descriptor }: OpenFile): void {
    closeQuietly(this.fileSystem, descriptor);
    this.opened--;
  }

  /** Opens a file, uses it, and closes it. */
  async use<T>(path: string, mode: OpenMode, work: (file: OpenFile) => Promise<T>): Promise<T> {
    const file = this.open(path, mode);
    try {
      return await work(file);
    } finally {
      this.close(file);
    }
  }

  /** The same to read; undefined when there is no such file. */
  async useIfPresent<T>(
    path: string,
    work: (file: OpenFile) => Promise<T>,
  ): Promise<T | undefined> {
    const file = this.openIfPresent(path);
    if (file === undefined) return undefined;
    try {
      return await work(file);
    } finally {
      this.close(file);
    }
  }

  /** Does what `use` does, for work that is over before anything else can happen. */
  useNow<T>(path: string, mode: OpenMode, work: (file: OpenFile) => T): T {
    const file = this.open(path, mode);
    try {
      return work(file);
    } finally {
      this.close(file);
    }
  }

  private counted(descriptor: number): OpenFile {
    this.opened++;
    return new OpenFile(this.fileSystem, descriptor);
  }
}
