import type { Probe } from '../engine/index.ts';

/** What a span is of. */
export const SPAN_KINDS = ['operation', 'segment', 'pread', 'crc_validate'] as const;
export type SpanKind = (typeof SPAN_KINDS)[number];

/** What became of it: every one that could have been emitted is in exactly one of these. */
export const SPAN_DISPOSITIONS = ['emitted', 'unsampled', 'budget'] as const;
export type SpanDisposition = (typeof SPAN_DISPOSITIONS)[number];

export type SpanCounts = Readonly<Record<SpanKind, Readonly<Record<SpanDisposition, number>>>>;

/** A probe that can say what became of its spans. */
export interface SpanCounting extends Probe {
  readonly spanCounts: SpanCounts;
}
