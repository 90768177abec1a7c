import { createHash } from 'node:crypto';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import {
  directoryZoo,
  placeRow,
  type ZooNature,
  type ZooRow,
} from '../../../harness/zoo/directory-zoo.ts';
import { COMMANDS } from '../../../src/cli/command-table.ts';
import { CommandError, failureOf } from '../../../src/cli/failure.ts';
import {
  openLog,
  openReader,
  openStore,
  StoreError,
  salvage,
  surveyStore,
} from '../../../src/engine/index.ts';

/**
 * Everything that takes the directory of a store meets every row of the zoo. What it ends with is
 * held against what the row is; beside that nothing may throw a raw error, hang, or change what it
 * only reads.
 */

/** How a command or an opening ended: its exit status, or the code of its error. */
type End = number | string;

interface Column {
  readonly name: string;
  /** Changes nothing in the directory. */
  readonly reads: boolean;
  /** A command that opens the store, and says what an opening says. */
  readonly opens?: boolean;
  readonly run: (directory: string, beside: string) => Promise<End>;
  readonly expected: Readonly<Record<ZooNature, readonly End[]>>;
}

const READS: Column['expected'] = {
  sound: [0],
  torn: [0],
  corrupt: [3],
  ambiguous: [3],
  absent: [1],
  'not readable': [1],
  unfinished: [2],
};
const OPENS: Column['expected'] = {
  sound: ['whole'],
  torn: ['torn'],
  corrupt: ['STORE_CORRUPT'],
  ambiguous: ['AMBIGUOUS_TAIL'],
  absent: ['NOT_FOUND'],
  'not readable': ['IO_FAILED'],
  unfinished: ['BACKUP_UNFINISHED'],
};
const OPENS_FOR_WRITING: Column['expected'] = {
  ...OPENS,
  absent: ['whole', 'IO_FAILED'],
};

const COLUMNS: readonly Column[] = [
  command('scan', true, READS),
  command('dump', true, READS),
  command('stats', true, READS),
  // A key that is absent is no success.
  command('get', true, { ...READS, sound: [0, 2], torn: [0, 2] }, ['--key', 'key-1']),
  command('report', true, { ...READS, torn: [2] }),
  command('check', true, { ...READS, sound: [0, 2], torn: [2] }),
  command('verify', true, { ...READS, sound: [0, 2] }),
  command(
    'hexdump',
    true,
    {
      ...READS,
      sound: [0, 1, 3],
      torn: [0, 3],
      corrupt: [0, 1, 3],
      ambiguous: [0, 3],
      'not readable': [0],
      unfinished: [0],
    },
    ['1:0'],
    false,
  ),
  command('export', true, READS, { beside: 'exported.jsonl' }),
  command(
    'salvage',
    true,
    {
      ...READS,
      torn: [0, 2],
      corrupt: [2],
      ambiguous: [2],
      'not readable': [0, 2],
      unfinished: [0],
    },
    { beside: 'salvaged' },
    false,
  ),
  command('backup', false, READS, { beside: 'backup' }),
  command('compact', false, READS, { beside: 'compacted' }),
  command('compact', false, READS),
  // What stands in the place of a seal may be more than a file can replace.
  command('repair-seals', false, { ...READS, sound: [0, 2] }),
  command('import', false, { ...READS, absent: [0, 1] }, { beside: 'lines.jsonl' }),
  {
    name: 'openReader',
    reads: true,
    expected: OPENS,
    run: async (directory) => {
      await using reader = await openReader(directory);
      return reader.recoveryReport.outcome === 'whole' ? 'whole' : 'torn';
    },
  },
  {
    name: 'openReader, full',
    reads: true,
    expected: OPENS,
    run: async (directory) => {
      await using reader = await openReader(directory, { open: 'full' });
      return reader.recoveryReport.outcome === 'whole' ? 'whole' : 'torn';
    },
  },
  {
    name: 'follow',
    reads: true,
    // A follower is for what comes: it need not read what is there.
    expected: { ...OPENS, sound: ['whole', 'SNAPSHOT_GONE'], torn: ['whole', 'SNAPSHOT_GONE'] },
    run: async (directory) => {
      await using reader = await openReader(directory, { keys: false });
      const records = reader.follow({ fromTxid: 1 })[Symbol.asyncIterator]();
      const { size } = await openReader(directory).then(async (other) => {
        const count = [...other.scan()].length;
        await other.close();
        return { size: count };
      });
      for (let count = 0; count < size; count++) await records.next();
      await records.return?.();
      return 'whole';
    },
  },
  {
    name: 'surveyStore',
    reads: true,
    expected: {
      ...OPENS,
      torn: ['whole'],
      corrupt: ['whole', 'STORE_CORRUPT'],
      ambiguous: ['whole'],
      absent: ['whole'],
      unfinished: ['whole'],
    },
    run: async (directory) => {
      const { contradictions } = await surveyStore(directory);
      return contradictions.length === 0 ? 'whole' : 'STORE_CORRUPT';
    },
  },
  {
    name: 'salvage',
    reads: true,
    expected: {
      ...OPENS,
      torn: ['whole', 'torn'],
      corrupt: ['torn'],
      ambiguous: ['torn'],
      'not readable': ['whole', 'torn'],
      unfinished: ['whole'],
    },
    run: async (directory, beside) => {
      const { lostCount, missingSegmentCount, contradictions } = await salvage(
        directory,
        join(beside, 'rescued'),
      );
      return lostCount + missingSegmentCount + contradictions.length === 0 ? 'whole' : 'torn';
    },
  },
  {
    name: 'openStore',
    reads: false,
    expected: OPENS_FOR_WRITING,
    run: async (directory) => {
      await using store = await openStore(directory);
      const { damages } = await store.verify();
      expect(damages.filter(({ what }) => !/^(damaged|foreign)-seal$/.test(what))).toEqual([]);
      return store.recoveryReport.discarded.length === 0 ? 'whole' : 'torn';
    },
  },
  {
    name: 'openStore, strict',
    reads: false,
    expected: { ...OPENS_FOR_WRITING, torn: ['TORN_TAIL'], ambiguous: ['AMBIGUOUS_TAIL'] },
    run: async (directory) => {
      await using store = await openStore(directory, { recovery: 'strict' });
      return store.recoveryReport.discarded.length === 0 ? 'whole' : 'torn';
    },
  },
  {
    name: 'openLog',
    reads: false,
    expected: OPENS_FOR_WRITING,
    run: async (directory) => {
      const log = await openLog(directory);
      await log.close();
      return log.recoveryReport.discarded.length === 0 ? 'whole' : 'torn';
    },
  },
];

/** What a command says of them. */
const WORDS: Readonly<Partial<Record<ZooNature, RegExp>>> = {
  corrupt: /STORE_CORRUPT/,
  ambiguous: /AMBIGUOUS_TAIL/,
  absent: /NOT_FOUND|IO_FAILED/,
  'not readable': /IO_FAILED/,
  unfinished: /BACKUP_UNFINISHED/,
};

/** Where syncs cost nothing. */
const MEMORY = '/dev/shm';
let root: string;
let zoo: ZooRow[];
let printed = '';

beforeAll(async () => {
  root = mkdtempSync(join(existsSync(MEMORY) ? MEMORY : tmpdir(), 'tidemark-zoo-'));
  zoo = await directoryZoo();
  for (const stream of [process.stdout, process.stderr])
    vi.spyOn(stream, 'write').mockImplementation(((text: unknown, ...rest: unknown[]) => {
      printed += String(text);
      const done = rest.findLast((one) => typeof one === 'function') as (() => void) | undefined;
      done?.();
      return true;
    }) as typeof stream.write);
});

afterAll(() => {
  vi.restoreAllMocks();
  rmSync(root, { recursive: true, force: true });
});

describe('a zoo of damaged and odd directories', () => {
  test.each(COLUMNS.map((column) => [column.name, column] as const))(
    '%s ends as it should with each of them',
    async (_name, column) => {
      const wrong: string[] = [];
      let cells = 0;
      for (const [index, row] of zoo.entries()) {
        const beside = join(root, `${COLUMNS.indexOf(column)}-${index}`);
        const directory = join(beside, 'store');
        place(row, beside, directory);
        const before = column.reads ? digestOf(directory) : '';
        const end = await endOf(column, directory, beside);
        cells++;
        const allowed = column.expected[row.nature];
        if (!allowed.includes(end))
          wrong.push(
            `${row.name} (${row.nature}): ${end}, not ${allowed.join(' or ')}: ${printed.slice(-300)}`,
          );
        const words = WORDS[row.nature];
        if (column.opens === true && end !== 0 && words !== undefined && !words.test(printed))
          wrong.push(`${row.name} (${row.nature}): ${printed.slice(-300)}`);
        if (column.reads && digestOf(directory) !== before)
          wrong.push(`${row.name}: it was changed`);
        rmSync(beside, { recursive: true, force: true });
      }
      expect(wrong).toEqual([]);
      expect(cells).toBeGreaterThan(100);
    },
    120_000,
  );
});

describe('beside a writer that merges', () => {
  test('report and check call nothing torn, and nothing damaged', async () => {
    const directory = join(root, 'merging');
    const store = await openStore(directory, { segmentBytes: 8192 });
    let isEnough = false;
    const write = async () => {
      for (let round = 0; !isEnough; round++) {
        for (let key = 0; key < 150; key++) store.put(`key-${key % 40}`, `value ${round}.${key}`);
        await store.compact({ deadRatio: 0.2 });
      }
    };
    const written = write();
    const ends: Record<string, End[]> = { report: [], check: [] };
    for (let look = 0; look < 12; look++)
      for (const name of ['report', 'check']) {
        const column = command(name, false, READS);
        ends[name]?.push(await endOf(column, directory, root));
      }
    isEnough = true;
    await written;
    await store.close();
    expect(ends).toEqual({ report: Array(12).fill(0), check: Array(12).fill(0) });
  }, 120_000);
});

function place(row: ZooRow, beside: string, directory: string): void {
  rmSync(beside, { recursive: true, force: true });
  mkdirSync(beside);
  placeRow(row, directory);
  writeFileSync(join(beside, 'lines.jsonl'), '{"key_b64":"a2V5","value_b64":"dg=="}\n');
}

/** Runs a command as `tidemark` does, in this process. */
function command(
  name: string,
  reads: boolean,
  expected: Column['expected'],
  more: readonly string[] | { readonly beside: string } = [],
  opens = true,
): Column {
  const entry = COMMANDS.find((one) => one.name === name);
  if (entry === undefined) throw new Error(`there is no command ${name}`);
  return {
    name: 'beside' in more ? `tidemark ${name} to elsewhere` : `tidemark ${name}`,
    reads,
    opens,
    expected,
    run: async (directory, beside) => {
      const program = new Command(name).exitOverride().configureOutput({ outputError: () => {} });
      (await entry.load()).define(program, COMMANDS);
      const words = [directory];
      words.push(...('beside' in more ? [join(beside, more.beside)] : more));
      process.exitCode = undefined;
      try {
        await program.parseAsync(words, { from: 'user' });
        return Number(process.exitCode ?? 0);
      } catch (error) {
        const { code, message, exitCode } = failureOf(error, name);
        printed += message;
        const isTold = error instanceof StoreError || error instanceof CommandError;
        return isTold ? exitCode : `raw ${code}: ${message}`;
      } finally {
        process.exitCode = undefined;
      }
    },
  };
}

const HANG_MS = 30_000;

async function endOf({ run }: Column, directory: string, beside: string): Promise<End> {
  printed = '';
  let late: NodeJS.Timeout | undefined;
  const hang = new Promise<End>((resolve) => {
    late = setTimeout(() => resolve('hangs'), HANG_MS);
  });
  try {
    return await Promise.race([hang, run(directory, beside)]);
  } catch (error) {
    printed += String(error);
    return error instanceof StoreError ? error.code : `raw ${error}`;
  } finally {
    clearTimeout(late);
  }
}

/** Digests what every name is, and what it holds. */
function digestOf(directory: string): string {
  const hash = createHash('sha256');
  const visit = (path: string) => {
    for (const name of readdirSync(path).sort()) {
      const full = join(path, name);
      const stat = lstatSync(full);
      hash.update(`${name} ${stat.mode} ${stat.size}\n`);
      if (stat.isFile()) hash.update(readFileSync(full));
      else if (stat.isSymbolicLink()) hash.update(readlinkSync(full));
      else if (stat.isDirectory()) visit(full);
    }
  };
  visit(directory);
  return hash.digest('hex');
}
