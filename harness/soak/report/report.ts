import { readFileSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { SUMMARY_SCHEMA, type Summary } from '../result/summary.ts';
import { planCharts } from './drawing/chart-plan.ts';
import { html } from './drawing/html.ts';
import { EVENT_KINDS, type EventKind } from './drawing/page-data.ts';
import { parseSamples, type SampleTable } from './drawing/sample-table.ts';
import { drawnData, spansByKind } from './drawn-data.ts';
import { type Page, pageDocument } from './page.ts';
import { aboutSection, leftoversSection, type RunIdentity } from './sections/about.ts';
import { chartsSection, markersLegend } from './sections/charts.ts';
import { comparisonSection } from './sections/comparison.ts';
import { factsOf, factsSection } from './sections/facts.ts';
import { gatesSection } from './sections/gates.ts';
import { latencySection } from './sections/latency.ts';
import { verdictSection, verdictTitle, verdictTone } from './sections/verdict.ts';

const NO_SAMPLES = 'elapsed_s\n';

/**
 * Writes `report.html` from the `summary.json` and `samples.csv` of a directory: one file that asks
 * for no other. Whole or not at all. Throws when the summary cannot be read, or is of another
 * schema.
 */
export async function writeReport(outDirectory: string): Promise<void> {
  const { summary, samples } = readRun(outDirectory);
  const path = join(outDirectory, 'report.html');
  await writeFile(`${path}.tmp`, pageDocument(reportPage(summary, samples)));
  await rename(`${path}.tmp`, path);
}

export interface FinishedRun {
  readonly summary: Summary;
  readonly samples: SampleTable;
}

export function readRun(outDirectory: string): FinishedRun {
  const path = join(outDirectory, 'summary.json');
  let summary: Summary;
  try {
    summary = JSON.parse(readFileSync(path, 'utf8')) as Summary;
  } catch (error) {
    throw new Error(`${path} cannot be read: ${(error as Error).message}`, { cause: error });
  }
  if (summary.schema !== SUMMARY_SCHEMA) {
    throw new Error(
      `${path} is of schema ${summary.schema}; this report shows schema ${SUMMARY_SCHEMA}`,
    );
  }
  return { summary, samples: readSamples(join(outDirectory, 'samples.csv')) };
}

/** A run that ended before its first sample may have none. */
function readSamples(path: string): SampleTable {
  let csv = NO_SAMPLES;
  try {
    csv = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  return parseSamples(csv);
}

export function reportPage(summary: Summary, samples: SampleTable): Page {
  const plan = planCharts(summary.series, samples);
  const { baseline, latency } = summary;
  return {
    title: `${verdictTitle(summary)}: ${subjectOf(summary)}`,
    tone: verdictTone(summary),
    subject: `${subjectOf(summary)}, ${summary.startedAt.slice(0, 16).replace('T', ' ')} UTC`,
    links: [],
    sections: [
      { id: 'verdict', content: html`${verdictSection(summary)}` },
      { id: 'facts', content: factsSection(factsOf(summary)) },
      { id: 'gates', title: 'Gates', content: gatesSection(summary, samples) },
      ...(baseline === null
        ? []
        : [
            {
              id: 'comparison',
              title: 'Against the baseline',
              content: comparisonSection(baseline),
            },
          ]),
      {
        id: 'charts',
        title: 'Over time',
        tools: chartTools(eventCounts(summary)),
        content: chartsSection(plan, samples),
      },
      {
        id: 'latency',
        title: 'Latency',
        content: latencySection(latency, summary.latencyCoverage),
      },
      { id: 'about', title: 'This run', content: aboutSection(summary) },
      { id: 'leftovers', content: leftoversSection(summary) },
    ],
    data: drawnData(summary, plan, samples, spansByKind(summary.events)),
  };
}

export function chartTools(counts: Readonly<Record<EventKind, number>>) {
  return html`<div class="tools"><button type="button" id="reset-window" hidden>Show the whole run</button><div id="markers" role="group" aria-label="Markers">${markersLegend(counts)}</div></div>`;
}

function eventCounts({ events }: Summary): Record<EventKind, number> {
  return Object.fromEntries(
    EVENT_KINDS.map((kind) => [kind, events.filter((event) => event.kind === kind).length]),
  ) as Record<EventKind, number>;
}

/** `tidemark, profile smoke` */
export function subjectOf({ configuration, profile }: RunIdentity): string {
  const store = basename(configuration.adapter);
  return profile.name === null ? store : `${store}, profile ${profile.name}`;
}
