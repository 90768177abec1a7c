import { mkdirSync, rmSync } from 'node:fs';
import { AdapterError } from '../../adapter-error.ts';
import { type DeclaredContract, resolveContract, type StoreContract } from '../../contract.ts';
import { invokedAs, quoteWord } from '../../invocation.ts';
import { HOSTILE_KEY_COUNT, HostileValues } from '../../workloads/hostile-values.ts';
import { runTask } from '../../workloads/store-process.ts';
import { KEY_COUNT, type WorkShape } from '../../workloads/work-steps.ts';

/** Any store, known by its adapter and what that promises, and what it lets a workload do. */
export interface StoreSubject {
  /** The adapter's name or path, which `loadAdapter` takes. */
  readonly adapter: string;
  readonly contract: StoreContract;
  /** What starts the same again on the command line; parts add what they are about. */
  readonly command: string;
  /** What nobody has said of the contract, in one sentence each. */
  readonly assumed: readonly string[];
  readonly shape: WorkShape;
  /** See `Adapter`. */
  readonly volatileFiles: readonly string[];
  /** What it does not take, in words. That is said, and no fault. */
  readonly refusals: readonly string[];
}

/** A store that needs more for one opening or one key counts as hanging. */
export const MOST_OPENING_MS = 30_000;

/**
 * Tries the store out in an empty directory, which it removes. `overrides` are what the command
 * line says of the contract. Throws `ContractError`, and `AdapterError` when the store does not
 * even take plain keys and values.
 */
export async function probeStore(
  adapter: string,
  overrides: readonly DeclaredContract[],
  directory: string,
  seed: number,
): Promise<StoreSubject> {
  mkdirSync(directory, { recursive: true });
  const task = { task: 'probe', adapter, directory, seed } as const;
  const end = await runTask(task, { mostMs: MOST_OPENING_MS });
  const { lines, code, signal, hung, errors, strays } = end;
  rmSync(directory, { recursive: true, force: true });
  const unusable = lines.find((line) => line.startsWith('unusable '))?.slice('unusable '.length);
  if (unusable !== undefined) throw new AdapterError(JSON.parse(unusable) as string);
  if (strays.length > 0) {
    throw new AdapterError(
      `${adapter}: the store starts processes that go on without it (${strays.slice(0, 3).join(', ')}), so nobody can say when it was killed: let its close() end them. They were ended`,
    );
  }
  const broken = lines.find((line) => line.startsWith('broken '));
  if (!lines.includes('probed')) {
    const last = lines
      .findLast((line) => line.startsWith('trying '))
      ?.replace('trying', 'after trying');
    const how = hung ? 'did not end' : `ended with ${code ?? signal}`;
    throw new AdapterError(
      `${adapter}: the process that tried the store out ${how}${last === undefined ? '' : `, ${last}`}: ${broken ?? mainLine(errors)}`,
    );
  }
  const values = new HostileValues(seed, KEY_COUNT);
  const refused = new Map(
    lines.flatMap((line) => {
      const [, what, message] = /^refuses (\S+) (.*)$/.exec(line) ?? [];
      return what === undefined ? [] : [[what, JSON.parse(message as string) as string] as const];
    }),
  );
  const has = JSON.parse(lines[0]?.replace('has ', '') as string) as {
    sync: boolean;
    compact: boolean;
    contract: DeclaredContract;
    volatileFiles: readonly string[];
  };
  const { contract, assumed } = resolveContract([has.contract, ...overrides], {
    hasSync: has.sync,
  });
  const keys = Array.from({ length: KEY_COUNT }, (_, key) => key);
  return {
    adapter,
    contract,
    command: storeCommand(adapter, overrides),
    assumed,
    shape: {
      keys: keys.filter((key) => key >= HOSTILE_KEY_COUNT || !refused.has(String(key))),
      concurrent: contract.concurrent,
      syncs: has.sync,
      compacts: has.compact,
      takesEmpty: !refused.has('empty'),
      takesLarge: !refused.has('large'),
    },
    volatileFiles: has.volatileFiles,
    refusals: [...refused].map(([what, message]) => {
      const name = /^\d+$/.test(what) ? values.keyName(Number(what)) : `${what} values`;
      return `${name} (${message.split('\n', 1)[0]})`;
    }),
  };
}

/** The message in what a process that died has written: Node prints the place first. */
export function mainLine(errors: string): string {
  const lines = errors.split('\n').map((line) => line.trim());
  return (
    lines.find((line) => /^(?:Uncaught )?[\w.]*(?:Error|Exception)\b/.test(line)) ??
    (lines[0] as string)
  );
}

function storeCommand(adapter: string, overrides: readonly DeclaredContract[]): string {
  const { put, sync, history }: DeclaredContract = Object.assign({}, ...overrides);
  const survives = Object.entries({ put, sync })
    .filter(([, level]) => level !== undefined)
    .map(([name, level]) => `${name}=${level}`);
  return [
    invokedAs('crash'),
    `--adapter ${quoteWord(adapter)}`,
    ...(survives.length === 0 ? [] : [`--survives ${survives.join()}`]),
    ...(history === undefined ? [] : [`--history ${history}`]),
  ].join(' ');
}
