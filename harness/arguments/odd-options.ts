/** The kinds of values that an option can have, and what must be refused for each. */
const NOT_NUMBERS = [null, '5', {}, [], () => 5, true, 5n, Symbol('five')];
const NOT_FUNCTIONS = [null, 5, 'function', {}, []];
const NOT_BOOLEANS = [null, 0, 1, 'true', {}, []];
const NOT_SIGNALS = [null, 5, 'abort', {}, [], () => {}, { aborted: false }];
const NOT_TEXT = [null, 5, {}, [], () => 'x', true];

const REFUSED = {
  integer: [...NOT_NUMBERS, Number.NaN, Number.POSITIVE_INFINITY, -1, 0.5, 2 ** 60],
  share: [...NOT_NUMBERS, Number.NaN, Number.POSITIVE_INFINITY, -0.1, 1.1],
  bytes: [...NOT_NUMBERS, Number.NaN, -1, Number.NEGATIVE_INFINITY],
  rate: [...NOT_NUMBERS, Number.NaN, -1, 0, 0.1, Number.POSITIVE_INFINITY],
  milliseconds: [...NOT_NUMBERS, Number.NaN, -1, 0, 0.5, 2 ** 31, Number.POSITIVE_INFINITY],
  callback: NOT_FUNCTIONS,
  flag: NOT_BOOLEANS,
  signal: NOT_SIGNALS,
  text: NOT_TEXT,
  recovery: [null, 5, '', 'salvage', 'PREFIX', {}],
  opening: [null, 5, '', 'half', {}],
  probe: [null, 5, 'probe', [null], [5]],
  fileSystem: [null, 5, 'fs', {}],
  compaction: [null, 5, [], 'auto', { auto: null }, { auto: 5 }, { automatic: {} }],
  encoding: [null, 5, 'yaml', 'toString', {}, { encode: () => '' }],
} as const;

export type OptionKind = keyof typeof REFUSED;

/** Options objects of which every one must be refused, by what is wrong with them. */
export function oddOptions(kinds: Readonly<Record<string, OptionKind>>): [string, unknown][] {
  const wrong = Object.entries(kinds).flatMap(([option, kind]) =>
    REFUSED[kind].map((value): [string, unknown] => [
      `${option}: ${typeof value === 'symbol' ? 'a symbol' : JSON.stringify(value, shown)}`,
      { [option]: value },
    ]),
  );
  const misspelt = Object.keys(kinds).flatMap((option): [string, unknown][] => [
    [`${option} without its last letter`, { [option.slice(0, -1)]: undefined }],
    [`${option} in capitals`, { [option.toUpperCase()]: 1 }],
  ]);
  const others: [string, unknown][] = [null, 5, 'options', [], true, Symbol('options')].map(
    (value) => [`options that are ${String(value)}`, value],
  );
  return [...wrong, ...misspelt, ['an option that nobody knows', { __proto_: 1 }], ...others];
}

/** JSON has no words for some of them. */
function shown(_: string, value: unknown): unknown {
  return typeof value === 'bigint' || typeof value === 'function' || typeof value === 'number'
    ? String(value)
    : value;
}

/** Paths that no file has. */
export const ODD_PATHS: readonly [string, unknown][] = [
  ['an empty path', ''],
  ['a path with a zero byte', 'a\0b'],
  ['a path with half a surrogate pair', 'a\ud800'],
  ['null', null],
  ['undefined', undefined],
  ['a number', 5],
  ['an object', {}],
  ['a URL', new URL('file:///tmp/store')],
  ['a Buffer', Buffer.from('store')],
];
