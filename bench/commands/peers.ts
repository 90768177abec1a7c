import { inBenchDirectory } from '../measuring/bench-directory.ts';
import { type Row, runContest } from '../measuring/contest.ts';
import type { BenchOptions } from '../measuring/options.ts';
import { describeRun, print, progress, writeJson } from '../measuring/output.ts';
import { beginResult, type Result, typicalOf } from '../measuring/result.ts';
import { formatValue, type Table, textOf } from '../measuring/table.ts';
import { PEER_NAMES, type PeerDetails, peerContender } from '../peers/contender.ts';
import { installPeers } from '../peers/installation.ts';
import { checksumName } from './bench.ts';

export interface PeersResult extends Result {
  readonly peers: readonly PeerDetails[];
}

/** The stores take turns at the same work; a row's id is that of the work and of the store. */
export async function runPeers(
  options: BenchOptions & { readonly peersDir: string },
): Promise<void> {
  await installPeers(options.peersDir, progress);
  const result = await inBenchDirectory(
    options.dir,
    options.allowTmpfs ?? false,
    async (directory) => {
      const complete = beginResult(
        'peers',
        directory,
        options.scale,
        await checksumName(directory),
      );
      const sides = PEER_NAMES.map((peer) => ({
        start: (own: string) =>
          peerContender({ peer, packages: options.peersDir, directory: own, scale: options.scale }),
      }));
      const results = await runContest(directory, sides, {
        ...options,
        onLaunch: (launch) => progress(`peers: processes ${launch + 1} of ${options.launches}`),
      });
      const rows = results.flatMap(({ rows }, side) =>
        rows.map((row): Row => ({ ...row, id: `${row.id}/${PEER_NAMES[side]}` })),
      );
      return { ...complete(rows, []), peers: results.map(({ details }) => details as PeerDetails) };
    },
  );
  const path = options.out ?? 'bench-results/peers.json';
  writeJson(path, result);
  if (options.json) print(JSON.stringify(result, null, 2));
  else
    print(
      `${describeRun(result)}\n\n${textOf(peerTable(result))}\n\n${textOf(settingsTable(result))}`,
    );
  progress(`wrote ${path}`);
}

export function peerTable({ rows, peers }: PeersResult): Table {
  const names = new Map(rows.map((row) => [row.id.split('/')[0] as string, row.name]));
  return {
    head: ['work', ...peers.map(({ name }) => name)],
    lines: [...names].map(([id, name]) => [
      name,
      ...peers.map((peer) => {
        const row = rows.find((row) => row.id === `${id}/${peer.name}`);
        return row === undefined ? '' : formatValue(typicalOf(row), row.unit);
      }),
    ]),
  };
}

export function settingsTable({ peers }: PeersResult): Table {
  return {
    head: ['store', 'survives a process crash', 'survives a power cut'],
    lines: peers.map(({ name, version, settings }) => [
      `${name} ${version}`,
      settings.append,
      settings.sync,
    ]),
  };
}
