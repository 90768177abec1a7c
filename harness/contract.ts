/** What a store promises of a crash, as its adapter or the command line says it. */
export interface StoreContract {
  /**
   * What a put or delete survives once it has returned: nothing, the death of its process, or a
   * power cut as well.
   */
  readonly put: 'nothing' | 'kill' | 'power';
  /** What everything before a finished `sync()` survives; undefined for a store that has none. */
  readonly sync: 'kill' | 'power' | undefined;
  /** A crash leaves the state of a prefix of the operations, or of each key a value by itself. */
  readonly history: 'prefix' | 'per-key';
  /** `entries()` comes in the order of the bytes of its keys. */
  readonly ordered: boolean;
  /** Operations may overlap. */
  readonly concurrent: boolean;
}

/** What somebody has said of a store; the rest is assumed. */
export type DeclaredContract = { readonly [Field in keyof StoreContract]?: StoreContract[Field] };

export interface ResolvedContract {
  readonly contract: StoreContract;
  /** What nobody has said, in one sentence each. */
  readonly assumed: readonly string[];
}

/** A contract that cannot be: the message says which field, and what to write instead. */
export class ContractError extends Error {
  override readonly name = 'ContractError';
}

const CHOICES = {
  put: ['nothing', 'kill', 'power'],
  sync: ['kill', 'power'],
  history: ['prefix', 'per-key'],
  ordered: [true, false],
  concurrent: [true, false],
} as const;

/** Checks the `contract` that a module exports; `from` names it. Throws `ContractError`. */
export function parseContract(from: string, value: unknown): DeclaredContract {
  if (value === undefined) return {};
  if (typeof value !== 'object' || value === null)
    throw new ContractError(`${from}: contract must be an object such as { put: 'power' }`);
  for (const [name, given] of Object.entries(value)) {
    const choices = choicesOf(name);
    if (choices === undefined) {
      throw new ContractError(
        `${from}: contract has no field ${name}; its fields are ${Object.keys(CHOICES).join(', ')}`,
      );
    }
    if (given !== undefined && !choices.includes(given))
      throw new ContractError(
        `${from}: contract.${name} must be ${choices.map(quote).join(' or ')}, not ${quote(given)}`,
      );
  }
  return value as DeclaredContract;
}

/** The value of `--survives`: `put=power,sync=power`. Throws `ContractError`. */
export function parseSurvives(text: string): DeclaredContract {
  const said: Record<string, string> = {};
  for (const part of text.split(',')) {
    const [name, given, ...more] = part.split('=').map((word) => word.trim());
    if ((name !== 'put' && name !== 'sync') || given === undefined || more.length > 0) {
      throw new ContractError(
        `--survives takes put=nothing|kill|power and sync=kill|power with a comma between them, not ${quote(text)}`,
      );
    }
    if (said[name] !== undefined) throw new ContractError(`--survives says ${name} twice`);
    said[name] = given;
  }
  return parseContract('--survives', said);
}

/** The value of `--history`. Throws `ContractError`. */
export function parseHistory(text: string): DeclaredContract {
  return parseContract('--history', { history: text });
}

/**
 * The contract that a run judges by. Later ones override earlier ones. Throws `ContractError` when
 * they contradict each other, or what the store has.
 */
export function resolveContract(
  declared: readonly DeclaredContract[],
  store: { readonly hasSync: boolean },
): ResolvedContract {
  const said: DeclaredContract = Object.assign({}, ...declared.map(definedFields));
  if (!store.hasSync && said.sync !== undefined) {
    throw new ContractError(
      `the contract says sync=${said.sync}, and the store has no sync(): leave it out, and say what put survives`,
    );
  }
  const assumed: string[] = [];
  const assume = <T>(given: T | undefined, otherwise: T, sentence: string): T => {
    if (given === undefined) assumed.push(sentence);
    return given ?? otherwise;
  };
  const sync = store.hasSync ? assume(said.sync, 'power', SYNC_SURVIVES.power) : undefined;
  const contract: StoreContract = {
    put: assume(said.put, 'kill', PUT_SURVIVES.kill),
    sync,
    history: assume(said.history, 'per-key', HISTORIES['per-key']),
    ordered: said.ordered ?? false,
    concurrent: said.concurrent ?? false,
  };
  if (contract.put === 'power' && contract.sync === 'kill') {
    throw new ContractError(
      'the contract says put=power and sync=kill: a sync covers every put before it, so it survives at least as much',
    );
  }
  return { contract, assumed };
}

/** Writes a contract in the words of the command line, which reports use, too. */
export function describeContract({
  put,
  sync,
  history,
  ordered,
  concurrent,
}: StoreContract): string {
  return [
    `put=${put}`,
    ...(sync === undefined ? ['no sync()'] : [`sync=${sync}`]),
    history,
    ...(ordered ? ['ordered'] : []),
    ...(concurrent ? ['concurrent'] : []),
  ].join(', ');
}

const PUT_SURVIVES = {
  nothing: 'a finished put or delete need not survive a crash',
  kill: 'a finished put or delete survives the death of its process',
  power: 'a finished put or delete survives a power cut',
} as const;
const SYNC_SURVIVES = {
  kill: 'everything before a finished sync survives the death of its process',
  power: 'everything before a finished sync survives a power cut',
} as const;
const HISTORIES = {
  prefix: 'a crash leaves the state of a prefix of the operations',
  'per-key':
    'after a crash each key holds what it held at some time, older or newer than the others',
} as const;

/** The same, one sentence per promise. */
export function contractInSentences(contract: StoreContract): string[] {
  const { put, sync, history, ordered, concurrent } = contract;
  return [
    PUT_SURVIVES[put],
    ...(sync === undefined ? [] : [SYNC_SURVIVES[sync]]),
    HISTORIES[history],
    ...(ordered ? ['entries() comes in the order of the bytes of its keys'] : []),
    ...(concurrent ? ['operations may overlap'] : []),
  ];
}

function definedFields(contract: DeclaredContract): DeclaredContract {
  return Object.fromEntries(Object.entries(contract).filter(([, value]) => value !== undefined));
}

function choicesOf(name: string): readonly unknown[] | undefined {
  return Object.hasOwn(CHOICES, name) ? CHOICES[name as keyof typeof CHOICES] : undefined;
}

function quote(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(value) : String(value);
}
