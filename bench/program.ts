import { Command, InvalidArgumentError } from 'commander';
import { COMMAND_OUTPUT } from '../harness/standard-streams.ts';
import { parseBytes } from '../harness/units.ts';
import { runBench } from './commands/bench.ts';
import { runCompaction } from './commands/compaction.ts';
import { runCompare } from './commands/compare.ts';
import { runDocument } from './commands/document.ts';
import { runGrowth } from './commands/growth.ts';
import { runObserver } from './commands/observer.ts';
import { runOpenMemory } from './commands/open-memory.ts';
import { runPeers } from './commands/peers.ts';
import { runTelemetry } from './commands/telemetry.ts';
import { GROUP_NAMES, type GroupName } from './groups/groups.ts';

export function benchProgram(): Command {
  const program = new Command('bench')
    .configureOutput(COMMAND_OUTPUT)
    .description(
      'Measures the store: without a command, every row of the table in docs/performance.md.',
    )
    .enablePositionalOptions()
    .exitOverride();
  measuring(program, { launches: 5, rounds: 5 })
    .option(
      '--groups <names>',
      `only these of ${GROUP_NAMES.join(', ')} (comma-separated)`,
      groupNames,
    )
    .option('--no-counts', 'leave out the deterministic counts')
    .addHelpText(
      'after',
      `
The JSON goes to bench-results/<command>.json unless --out names another file.
Each group runs in processes of its own, one after the other; within a process its rows and the raw calls that bound
them are measured in turn. Exit status: 0 measured (met or missed), 2 usage, 3 the run failed.`,
    )
    .action((options) => runBench('bench', options));
  measuring(
    command(program, 'floors', 'the raw calls alone: readSync, writeSync, write + fdatasync'),
    {
      launches: 3,
      rounds: 5,
    },
  ).action((options) => runBench('floors', { ...options, groups: ['floors'], counts: false }));
  measuring(
    command(program, 'counts', 'the deterministic counts alone: preads, writes, syncs, bytes'),
    {
      launches: 1,
      rounds: 1,
    },
  ).action((options) => runBench('counts', { ...options, groups: [], counts: true }));
  measuring(command(program, 'growth', 'get, put, open and memory at 10k, 100k and 1M keys'), {
    rounds: 5,
  })
    .option('--full', 'and at 10M keys')
    .option('--keys <counts>', 'instead: at these numbers of keys (comma-separated)', (text) =>
      text.split(',').map(positiveInteger),
    )
    .action(runGrowth);
  placing(
    command(program, 'compaction', 'overwrites with automatic merges, beside the same without'),
  )
    .option('--launches <n>', 'processes that measure each side', positiveInteger, 2)
    .option('--seconds <n>', 'how long each is measured, once it is filled', positiveInteger, 20)
    .option('--scale <factor>', 'multiplies the keys, for a quick look', share, 1)
    .option('--out <file>', 'where the JSON goes')
    .option('--json', 'print JSON instead of a table')
    .addHelpText(
      'after',
      `
Operations come by the clock, 12,000 a second, a third of them gets. "The call" is the time of the call itself; "since it
was due" has in it the turns of the event loop that an operation had to wait for, which is what a server's client sees.`,
    )
    .action(runCompaction);
  measuring(
    command(program, 'peers', 'lmdb, classic-level and better-sqlite3 on the same work, in turn'),
    {
      launches: 3,
      rounds: 3,
    },
  )
    .option('--peers-dir <directory>', 'where they are installed, once', 'bench-results/peers')
    .addHelpText(
      'after',
      `
A row compares the same guarantee: a store that does not sync is not compared with one that does. Each store's settings
are printed below the table. A durable write changes the value every time.`,
    )
    .action(runPeers);
  measuring(command(program, 'compare', 'judges two results, or two builds that take turns'), {
    launches: 14,
    rounds: 6,
    scale: 'by-row',
  })
    .argument('[base.json]', 'result of an earlier run')
    .argument('[head.json]', 'result of the run to judge')
    .option('--base <dist>', 'instead: the dist directory of one build')
    .option('--head <dist>', 'and of the build to judge')
    .option(
      '--groups <names>',
      'rows to measure of two builds (default: get-100k,put,open; with --self-test get-100k,put)',
      groupNames,
    )
    .option(
      '--alpha <p>',
      'how rarely chance may bring an alarm (default: 0.01 for a row of files, 0.001 for all rows in turn)',
      share,
    )
    .option(
      '--least-effect <share>',
      'the least change that counts (default: 0.1; in turn 0.05)',
      share,
    )
    .option('--other-machine', 'compare the counts of results of different machines')
    .option(
      '--self-test',
      'slow gets, then puts, by 20 % on purpose; compare this build with itself 20 times',
    )
    .addHelpText(
      'after',
      `
Counts are compared exactly, times by Mann and Whitney's test over the fastest round of each process, and only as a
change of at least --least-effect. Exit status: 0 no regression, 99 a row is slower or a count is higher, 2 usage or
files that cannot be compared, 3 the run failed. Of two builds, a round of gets or puts is the fastest of twenty short
runs, unless --scale is given.
--self-test: 0 what was slowed is shown as slower and nothing else is, 1 not so.`,
    )
    .action(runCompare);
  command(program, 'document', 'puts the tables of the last runs into the document')
    .option(
      '--results <directory>',
      'with bench.json, peers.json, growth.json and compaction.json',
      'bench-results',
    )
    .option('--document <file>', 'the page', 'docs/performance.md')
    .option('--readme <file>', 'the page with the comparison', 'README.md')
    .action(runDocument);
  placing(command(program, 'telemetry', 'what each kind of probe adds to a get'))
    .option('--rounds <n>', 'rounds of each row', positiveInteger, 9)
    .option('--json', 'print JSON instead of a table')
    .action(runTelemetry);
  placing(command(program, 'observer', 'what a sample a second takes of the throughput of a soak'))
    .option('--pairs <n>', 'soaks with and without samples', positiveInteger, 15)
    .option('--bytes <size>', 'what each soak writes', size, 512_000_000)
    .option('--json', 'print JSON instead of a table')
    .action(runObserver);
  placing(command(program, 'open-memory', 'what opening a log of 1.1 GB adds to the bare process'))
    .option('--keys <n>', 'live keys', positiveInteger, 100_000)
    .option('--json', 'print JSON instead of a table')
    .action(runOpenMemory);
  return program;
}

function command(program: Command, name: string, description: string): Command {
  return program.command(name).description(description).exitOverride();
}

function placing(command: Command): Command {
  return command
    .option('--dir <directory>', 'where the files go; must be on a real file system', '.')
    .option('--allow-tmpfs', 'measure on a memory file system all the same');
}

function measuring(
  command: Command,
  defaults: { launches?: number; rounds: number; scale?: 'by-row' },
): Command {
  if (defaults.launches !== undefined) {
    command.option(
      '--launches <n>',
      'processes that measure each row',
      positiveInteger,
      defaults.launches,
    );
  }
  return placing(command)
    .option(
      '--rounds <n>',
      'rounds in each process, after one to warm up',
      positiveInteger,
      defaults.rounds,
    )
    .option(
      '--scale <factor>',
      'multiplies keys and calls, for a quick look',
      share,
      defaults.scale === 'by-row' ? undefined : 1,
    )
    .option('--out <file>', 'where the JSON goes')
    .option(
      '--action-json <file>',
      'also write what github-action-benchmark reads (customSmallerIsBetter)',
    )
    .option('--json', 'print JSON instead of a table');
}

function groupNames(text: string): GroupName[] {
  return text.split(',').map((name) => {
    if (!GROUP_NAMES.includes(name as GroupName)) {
      throw new InvalidArgumentError(`there is no group ${JSON.stringify(name)}`);
    }
    return name as GroupName;
  });
}

function size(text: string): number {
  const bytes = parseBytes(text);
  if (!bytes) throw new InvalidArgumentError('give a size such as 512MB or 1GiB');
  return bytes;
}

function positiveInteger(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1)
    throw new InvalidArgumentError('give a positive integer');
  return value;
}

function share(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value <= 1)) throw new InvalidArgumentError('give a number above 0, up to 1');
  return value;
}
