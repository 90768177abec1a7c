import type { Command } from 'commander';
import { surveyStore } from '../engine/index.ts';
import { addDirectory, addJson, type JsonFlags } from './common-options.ts';
import { filesIn } from './directory-view.ts';
import { GaugesProbe } from './gauges-probe.ts';
import { repeatedly, withReader } from './opening.ts';
import { Output } from './output.ts';
import { sizeText } from './progress.ts';

export function define(command: Command): void {
  addJson(addDirectory(command))
    .addHelpText(
      'after',
      '\nGarbage is what compaction may remove: frames of overwritten and deleted keys.',
    )
    .action(async (directory: string, { json }: JsonFlags) => {
      const output = new Output();
      const probe = new GaugesProbe();
      await withReader(
        directory,
        async () => {
          const { keys, segmentBytes, liveBytes, keydirBytes } = probe.now;
          const { segments } = await repeatedly(() => surveyStore(directory));
          const held = segments.filter(({ sizeBytes }) => sizeBytes > 0);
          const stats = {
            keys,
            segments: segments.length,
            emptySegments: segments.length - held.length,
            seals: segments.filter(({ hasSeal }) => hasSeal).length,
            segmentBytes,
            liveBytes,
            garbageBytes: segmentBytes - liveBytes,
            sidecarBytes: filesIn(directory)
              .filter(({ name, kind }) => kind === 'file' && !name.endsWith('.dwal'))
              .reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
            keydirBytes,
          };
          if (json) output.json('stats', stats);
          else for (const line of render(stats)) output.line(line);
        },
        { probe },
      );
      await output.flush();
    });
}

function* render(stats: {
  readonly keys: number;
  readonly segments: number;
  readonly emptySegments: number;
  readonly seals: number;
  readonly segmentBytes: number;
  readonly liveBytes: number;
  readonly garbageBytes: number;
  readonly sidecarBytes: number;
  readonly keydirBytes: number;
}): Generator<string> {
  const share =
    stats.segmentBytes === 0 ? 0 : Math.round((100 * stats.garbageBytes) / stats.segmentBytes);
  yield `keys      ${stats.keys.toLocaleString('en')}`;
  yield `segments  ${stats.segments}, ${stats.emptySegments} of them empty, ${stats.seals} with a seal file`;
  yield `log       ${sizeText(stats.segmentBytes)}`;
  yield `live      ${sizeText(stats.liveBytes)}`;
  yield `garbage   ${sizeText(stats.garbageBytes)} (${share} %)`;
  yield `sidecars  ${sizeText(stats.sidecarBytes)}`;
  yield `memory    ${sizeText(stats.keydirBytes)} for the keydir of a process that opens it`;
}
