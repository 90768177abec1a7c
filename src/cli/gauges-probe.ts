import type { Probe, ProbeGauges, ProbeSource } from '../engine/index.ts';

/** Hears the gauges of a reader, which has no `stats()`. */
export class GaugesProbe implements Probe {
  private source: ProbeSource | undefined;

  attach(source: ProbeSource): void {
    this.source = source;
  }

  /** The gauges of an open reader. */
  get now(): ProbeGauges {
    const gauges = this.source?.gauges();
    if (gauges === undefined) throw new Error('the reader is not open');
    return gauges;
  }
}
