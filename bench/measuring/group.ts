import type * as EngineModule from '../../src/engine/index.ts';

/** The engine under measurement: this build's, or that of another checkout. */
export type Engine = typeof EngineModule;

export type Unit = 'ns' | 'bytes';

/**
 * What a row must reach: so many times its floor in the same run, or a value in the row's own unit.
 */
export interface Target {
  readonly kind: 'ratio' | 'value';
  readonly limit: number;
}

/** What is known of a row before it is measured. */
export interface RowHead {
  /** Stable: two runs are compared by it. */
  readonly id: string;
  readonly name: string;
  readonly unit: Unit;
  /** The row that bounds this one from below, measured beside it in the same process. */
  readonly floorId?: string;
  readonly target?: Target;
}

export interface Work extends RowHead {
  /** Calls that one run makes; the time of a run is divided by it. */
  readonly calls: number;
  /**
   * Gives a number, or a promise of one, where that is the measurement; where it gives none, its
   * time is taken.
   */
  run(): unknown;
}

/**
 * Works that share what they work on, measured in turn in one process so that a slow moment hits
 * all alike.
 */
export interface Group {
  readonly works: readonly Work[];
  finish(): Promise<void>;
}

export interface GroupContext {
  readonly engine: Engine;
  /** Where `engine` was imported from, for processes of a group's own. */
  readonly engineUrl: string;
  /** Empty, on a real file system, and removed afterwards. */
  readonly directory: string;
  /** Keys and calls are multiplied by it; 1 but for a quick look. */
  readonly scale: number;
}

export type SetUpGroup = (context: GroupContext) => Group | Promise<Group>;

/** A count of calls or keys at this scale, in whole thousands where it is as large as that. */
export function scaled(count: number, scale: number): number {
  const exact = count * scale;
  return exact >= 1000 ? Math.round(exact / 1000) * 1000 : Math.max(64, Math.round(exact));
}
