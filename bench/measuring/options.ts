/** What every measuring command takes. */
export interface BenchOptions {
  readonly dir: string;
  readonly launches: number;
  readonly rounds: number;
  readonly scale: number;
  readonly allowTmpfs?: true;
  readonly json?: true;
  readonly out?: string;
  readonly actionJson?: string;
}
