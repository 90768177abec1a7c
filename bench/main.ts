import { mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { openStore } from '../src/engine/index.ts';
import { median } from './measure.ts';
import { measureOpenMemory } from './open-memory.ts';
import { type Row, runDurableRows, runGetRows, runOpenRows, runPutRows } from './rows.ts';
import { runTelemetryRows, type TelemetryRow } from './telemetry.ts';

/** Magic number of tmpfs in statfs(2): a benchmark of syncs there would flatter. */
const TMPFS_MAGIC = 0x01021994;

const program = new Command('bench')
  .description('Measures the store against the raw calls that bound it, in one process and one run.')
  .option('--dir <directory>', 'where the files go; must be on a real file system', '.')
  .option('--rounds <n>', 'rounds of each row', positiveInteger, 9)
  .option('--keys <n>', 'live keys', positiveInteger, 100_000)
  .option('--json', 'print JSON instead of a table')
  .option('--allow-tmpfs', 'measure on a memory file system all the same');

program
  .command('telemetry')
  .description('what each kind of probe adds to a get')
  .action(async () => {
    const options = program.opts<BenchOptions>();
    await inDirectory(options, async (directory) => {
      const rows = await runTelemetryRows(directory, options.rounds);
      if (options.json) print(JSON.stringify({ schema: 1, rows }, null, 2));
      else printTelemetry(rows, options);
    });
  });

program
  .command('open-memory')
  .description('what opening a log of 1.1 GB adds to the bare process')
  .action(async () => {
    const options = program.opts<BenchOptions>();
    await inDirectory(options, async (directory) => {
      const memory = await measureOpenMemory(directory, options.keys);
      if (options.json) print(JSON.stringify({ schema: 1, ...memory }, null, 2));
      else {
        const { logBytes, records, keys, bareBytes, openBytes } = memory;
        print(`a log of ${megabytes(logBytes)} with ${records} records of ${keys} keys`);
        print(`bare process ${megabytes(bareBytes)}, opening it ${megabytes(openBytes)}`);
        print(`added ${megabytes(openBytes - bareBytes)} (target: at most 64 MB)`);
      }
    });
  });

interface BenchOptions {
  readonly dir: string;
  readonly rounds: number;
  readonly keys: number;
  readonly json?: boolean;
  readonly allowTmpfs?: boolean;
}

program.action(async (options: BenchOptions) => {
  await inDirectory(options, async (directory) => {
    const rows = [
      ...(await runGetRows(join(directory, 'get'), options.keys, options.rounds)),
      ...(await runPutRows(join(directory, 'put'), options.rounds)),
      ...(await runDurableRows(join(directory, 'durable'), options.rounds)),
      ...(await runOpenRows(join(directory, 'open'), Math.min(options.rounds, 3))),
    ];
    const checksum = await checksumName(join(directory, 'stats'));
    if (options.json)
      print(JSON.stringify({ schema: 1, ...host(checksum), keys: options.keys, rows }, null, 2));
    else printTable(rows, checksum, options);
  });
});

/** Runs in a fresh directory on a real file system, and removes it. */
async function inDirectory(options: BenchOptions, run: (directory: string) => Promise<void>): Promise<void> {
  if (statfsSync(options.dir).type === TMPFS_MAGIC && !options.allowTmpfs) {
    program.error(
      `${options.dir} is on tmpfs: name a directory on a real file system, or give --allow-tmpfs`,
      {
        exitCode: 2,
      },
    );
  }
  const directory = mkdtempSync(join(options.dir, 'tidemark-bench-'));
  try {
    await run(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

await program.parseAsync();

async function checksumName(directory: string): Promise<string> {
  await using store = await openStore(directory);
  return store.stats().checksum;
}

function host(checksum: string) {
  return { node: process.version, cpu: cpus()[0]?.model ?? 'unknown', cores: cpus().length, checksum };
}

function printTable(rows: readonly Row[], checksum: string, options: BenchOptions): void {
  const { node, cpu, cores } = host(checksum);
  print(`${node}, ${cores} x ${cpu}, ${checksum}; ${options.keys} keys, 16-byte keys, 100-byte values`);
  print(`medians of ${options.rounds} interleaved rounds; spread is min to max`);
  print('');
  print(
    `${pad('row', 34)}${padLeft('ns', 10)}${padLeft('spread', 18)}${padLeft('x floor', 9)}${padLeft('target', 9)}`,
  );
  for (const { name, roundsNs, ratio, target } of rows) {
    const spread = `${Math.min(...roundsNs).toFixed(0)}..${Math.max(...roundsNs).toFixed(0)}`;
    const cells = [
      pad(name, 34),
      padLeft(median(roundsNs).toFixed(0), 10),
      padLeft(spread, 18),
      padLeft(ratio === undefined ? '' : ratio.toFixed(2), 9),
      padLeft(target ?? '', 9),
    ];
    print(cells.join(''));
  }
}

function printTelemetry(rows: readonly TelemetryRow[], { rounds }: BenchOptions): void {
  print(`a get of a 100-byte value; medians of ${rounds} interleaved rounds`);
  print('');
  print(
    `${pad('probe', 34)}${padLeft('ns', 10)}${padLeft('x none', 9)}${padLeft('added ns', 10)}${padLeft('target', 9)}`,
  );
  for (const { name, roundsNs, ratio, addedNs, target } of rows) {
    const cells = [pad(name, 34), padLeft(median(roundsNs).toFixed(0), 10), padLeft(ratio.toFixed(2), 9)];
    print([...cells, padLeft(addedNs.toFixed(0), 10), padLeft(target, 9)].join(''));
  }
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

function pad(text: string, width: number): string {
  return text.padEnd(width);
}

function padLeft(text: string, width: number): string {
  return text.padStart(width);
}

function positiveInteger(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('give a positive integer');
  return value;
}
