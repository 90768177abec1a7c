import type { Unit } from '../../../quantity.ts';

/**
 * What the page's script draws; it stands in the page as JSON. No file that needs Node may be
 * imported here.
 */
export interface PageData {
  readonly charts: readonly ChartData[];
  /** Shared by all charts, ascending; at most two moments a drawn bucket. */
  readonly elapsedS: readonly number[];
  readonly events: EventsByKind;
  /** No gate judges what came before. */
  readonly warmupEndsAtS: number;
  /** Where the server tells what happens next; only while the soak runs. */
  readonly updatesPath?: string;
}

/** `asinh` is as `log`, but has room for zero. */
export type Scale = 'linear' | 'log' | 'asinh';

export interface ChartData {
  readonly id: string;
  readonly unit: Unit;
  readonly scale: Scale;
  readonly series: readonly SeriesData[];
  /** Lines that a gate draws, in the unit of the chart. */
  readonly limits: readonly number[];
}

export interface SeriesData {
  readonly label: string;
  /** Parallel to `elapsedS`; null where nothing was measured. */
  readonly values: readonly (number | null)[];
}

export const EVENT_KINDS = ['rotation', 'compaction', 'reopen', 'kill'] as const;
export type EventKind = (typeof EVENT_KINDS)[number];

export interface Span {
  readonly beginS: number;
  readonly endS: number;
}

export type EventsByKind = Readonly<Record<EventKind, readonly Span[]>>;

/** What comes over the event stream. */
export interface LiveUpdate {
  /** The title of the window. */
  readonly title: string;
  /** HTML by the id of the element that it goes into. */
  readonly fragments: Readonly<Record<string, string>>;
  /** Everything anew: first, after a reconnection, when a chart has come, and at the end. */
  readonly data?: PageData;
  /** What came since the update before, when it is not in `data`. */
  readonly moments: readonly Moment[];
  readonly events: readonly (Span & { readonly kind: EventKind })[];
  readonly isOver: boolean;
}

export interface Moment {
  readonly elapsedS: number;
  /** The values by chart and series. */
  readonly values: readonly (readonly (number | null)[])[];
}
