import type { Probe } from '../engine/index.ts';

/** What a span is of. */
export const SPAN_KINDS = ['operation', 'segment', 'pread', 'crc_validate'] as const;
export type SpanKind = (typeof SPAN_KINDS)[number];

/** Names of the spans under an operation's; that one is named by the operation and the store. */
export const SPAN_NAMES: Readonly<Record<Exclude<SpanKind, 'operation'>, string>> = {
  segment: 'tidemark.segment_scan',
  pread: 'tidemark.pread',
  crc_validate: 'tidemark.crc_validate',
};

/** What became of it: every one that could have been emitted is in exactly one of these. */
export const SPAN_DISPOSITIONS = ['emitted', 'unsampled', 'budget'] as const;
export type SpanDisposition = (typeof SPAN_DISPOSITIONS)[number];

export type SpanCounts = Readonly<Record<SpanKind, Readonly<Record<SpanDisposition, number>>>>;

/** A probe that can say what became of its spans. */
export interface SpanCounting extends Probe {
  readonly spanCounts: SpanCounts;
  /** The ids of an operation's span, where it is recorded; until the next operation ends. */
  traceOf(operation: number): { readonly traceId: string; readonly spanId: string } | undefined;
}
