import type { Command } from 'commander';

export interface CommandEntry {
  readonly name: string;
  readonly summary: string;
  readonly group: string;
  /**
   * Gives the command its arguments, options and action. Loaded only when it is needed: `--help` is
   * not to wait.
   */
  readonly load: () => Promise<{ readonly define: DefineCommand }>;
}

/** `all` is the whole table, for the command that completes the others. */
export type DefineCommand = (command: Command, all: readonly CommandEntry[]) => void;
