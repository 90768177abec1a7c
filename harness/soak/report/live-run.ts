import type { Gate } from '../gates/gate.ts';
import type { RunEvent } from '../run/run-event.ts';
import type { Sample } from '../sampling/sample.ts';
import { describeSeries } from '../sampling/series.ts';
import { type PlannedChart, planCharts, valueAt } from './drawing/chart-plan.ts';
import { type Html, html } from './drawing/html.ts';
import {
  EVENT_KINDS,
  type EventKind,
  type LiveUpdate,
  type PageData,
} from './drawing/page-data.ts';
import { drawnData, rounded, spanOf, spansByKind } from './drawn-data.ts';
import { GrowingSamples } from './growing-samples.ts';
import type { Page } from './page.ts';
import { chartTools, type FinishedRun, reportPage, subjectOf } from './report.ts';
import { aboutSection, type RunIdentity } from './sections/about.ts';
import { chartsSection, chartValues, markersLegend, valuesId } from './sections/charts.ts';
import { comparisonSection } from './sections/comparison.ts';
import { type Facts, factsSection } from './sections/facts.ts';
import { gatesSection } from './sections/gates.ts';
import { type Progress, progressSection } from './sections/verdict.ts';

const UPDATES_PATH = '/updates';

/** What the page shows of a run that goes on, and of the same run when it has ended. */
export class LiveRun {
  readonly updatesPath = UPDATES_PATH;
  private readonly identity: RunIdentity;
  private readonly hasMetrics: boolean;
  private readonly samples = new GrowingSamples();
  private readonly events: RunEvent[] = [];
  private gates: readonly Gate[] = [];
  private plan: readonly PlannedChart[] = [];
  private finished: Page | undefined;
  private peakRssBytes: number | undefined;
  private newSamples = 0;
  private newEvents: RunEvent[] = [];
  private hasNewCharts = false;
  private hasNewGates = false;

  constructor(identity: RunIdentity, hasMetrics: boolean) {
    this.identity = identity;
    this.hasMetrics = hasMetrics;
  }

  addSample(sample: Sample): void {
    const { rssBytes } = sample.outside;
    if (rssBytes !== undefined) this.peakRssBytes = Math.max(this.peakRssBytes ?? 0, rssBytes);
    this.samples.add(sample);
    this.newSamples++;
    const plan = planCharts(describeSeries(), this.samples);
    if (shapeOf(plan) === shapeOf(this.plan)) return;
    this.plan = plan;
    this.hasNewCharts = true;
  }

  addEvent(event: RunEvent): void {
    this.events.push(event);
    this.newEvents.push(event);
  }

  setGates(gates: readonly Gate[]): void {
    this.gates = gates;
    this.hasNewGates = true;
  }

  finish({ summary, samples }: FinishedRun): void {
    this.finished = reportPage(summary, samples);
    const { baseline } = summary;
    if (baseline !== null) {
      // The page that is open has no place with a title for it.
      this.replaceSection(
        'comparison',
        html`<h2>Against the baseline</h2>${comparisonSection(baseline)}`,
      );
    }
  }

  /** Makes the page for a browser that comes now. */
  page(): Page {
    if (this.finished !== undefined) return this.finished;
    const metrics = this.hasMetrics ? [{ href: '/metrics', text: '/metrics' }] : [];
    const counts = this.eventCounts();
    return {
      title: this.title(),
      tone: 'calm',
      subject: `${subjectOf(this.identity)}, ${this.identity.startedAt.slice(0, 16).replace('T', ' ')} UTC`,
      links: metrics,
      sections: [
        { id: 'verdict', content: progressSection(this.progress()) },
        { id: 'facts', content: factsSection(this.facts()) },
        { id: 'gates', title: 'Gates', content: this.gatesContent() },
        { id: 'comparison', content: html`` },
        {
          id: 'charts',
          title: 'Over time',
          tools: chartTools(counts),
          content: chartsSection(this.plan, this.samples),
        },
        {
          id: 'latency',
          title: 'Latency',
          content: html`<p class="nothing">The histograms come at the end.</p>`,
        },
        { id: 'about', title: 'This run', content: aboutSection(this.identity) },
        { id: 'leftovers', content: html`` },
      ],
      data: { ...this.data(), updatesPath: UPDATES_PATH },
    };
  }

  /** All of it, for a browser that has just connected, or whose connection was lost for a while. */
  fullUpdate(): LiveUpdate {
    const { title, sections, data } = this.page();
    const fragments = Object.fromEntries(sections.map(({ id, content }) => [id, content.text]));
    return {
      title,
      fragments: { ...fragments, markers: markersLegend(this.eventCounts()).text },
      data,
      moments: [],
      events: [],
      isOver: this.finished !== undefined,
    };
  }

  /** Nobody has what came before, and nobody needs what has come since. */
  skipUpdate(): void {
    this.newSamples = 0;
    this.newEvents = [];
    this.hasNewCharts = false;
    this.hasNewGates = false;
  }

  /** What has come since the last call, for those who have the rest. */
  nextUpdate(): LiveUpdate {
    const { newSamples, newEvents, hasNewCharts, hasNewGates } = this;
    this.skipUpdate();
    if (hasNewCharts || this.finished !== undefined) return this.fullUpdate();
    const values = this.plan.map((chart) => [
      valuesId(chart),
      chartValues(chart, this.samples).text,
    ]);
    return {
      title: this.title(),
      fragments: {
        verdict: progressSection(this.progress()).text,
        facts: factsSection(this.facts()).text,
        ...(hasNewGates ? { gates: this.gatesContent().text } : {}),
        ...(newEvents.length === 0 ? {} : { markers: markersLegend(this.eventCounts()).text }),
        ...Object.fromEntries(values),
      },
      moments: this.momentsOf(newSamples),
      events: newEvents.map((event) => ({ kind: event.kind, ...spanOf(event) })),
      isOver: false,
    };
  }

  private replaceSection(id: string, content: Html): void {
    const { sections, ...page } = this.finished as Page;
    this.finished = {
      ...page,
      sections: sections.map((section) => (section.id === id ? { id, content } : section)),
    };
  }

  private momentsOf(count: number): LiveUpdate['moments'] {
    const { rowCount } = this.samples;
    const elapsedS = this.samples.column('elapsed_s') as Float64Array;
    return Array.from({ length: count }, (_, index) => rowCount - count + index).map((row) => ({
      elapsedS: elapsedS[row] as number,
      values: this.plan.map(({ series }) =>
        series.map((one) => rounded(valueAt(one, this.samples, row))),
      ),
    }));
  }

  private data(): PageData {
    return drawnData(
      { gates: this.gates, warmupEndsAtS: 0 },
      this.plan,
      this.samples,
      spansByKind(this.events),
    );
  }

  private gatesContent(): Html {
    if (this.gates.length === 0) return html`<p class="nothing">They are judged at the end.</p>`;
    return gatesSection(
      { gates: this.gates, invariants: [], series: describeSeries(), warmupEndsAtS: 0 },
      this.samples,
    );
  }

  private eventCounts(): Record<EventKind, number> {
    return Object.fromEntries(
      EVENT_KINDS.map((kind) => [kind, this.events.filter((event) => event.kind === kind).length]),
    ) as Record<EventKind, number>;
  }

  private title(): string {
    const { share } = this.progress();
    return `${share === undefined ? '' : `${Math.floor(share * 100)} % `}Running: ${subjectOf(this.identity)}`;
  }

  private progress(): Progress {
    const { goal } = this.identity.configuration;
    const elapsedS = this.samples.last?.elapsedS ?? 0;
    const bytesWritten = this.samples.last?.inside?.totals.bytesWritten ?? 0;
    const shares = [
      ...(goal.bytes === undefined ? [] : [bytesWritten / goal.bytes]),
      ...(goal.seconds === undefined ? [] : [elapsedS / goal.seconds]),
    ];
    return {
      elapsedS,
      share: shares.length === 0 ? undefined : Math.min(1, Math.max(...shares)),
      failedGates: this.gates.filter(({ verdict }) => verdict === 'failed').map(({ name }) => name),
    };
  }

  private facts(): Facts {
    const { last } = this.samples;
    const totals = last?.inside?.totals;
    const elapsedS = last?.elapsedS ?? 0;
    return {
      durationMs: elapsedS * 1000,
      bytesWritten: totals?.bytesWritten,
      bytesPerSecond:
        totals === undefined || elapsedS === 0 ? undefined : totals.bytesWritten / elapsedS,
      operations: totals?.operations,
      peakRssBytes: this.peakRssBytes,
      putP99Us: undefined,
      keysChecked: totals?.keysChecked,
      gates: undefined,
    };
  }
}

function shapeOf(plan: readonly PlannedChart[]): string {
  return plan.map(({ id, series }) => [id, ...series.map(({ name }) => name)].join()).join(';');
}
