/** One system call, as strace has seen it. Lines of its output are the times. */
export interface SystemCall {
  /** Counted from 1 over all threads, in the order in which calls began. */
  readonly number: number;
  readonly thread: number;
  readonly name: string;
  readonly args: readonly string[];
  /** NaN when it never returned. */
  readonly result: number;
  /** Why it failed: `EIO`. */
  readonly error: string | undefined;
  /** The path of the descriptor that it gave, when it gave one. */
  readonly resultPath: string | undefined;
  readonly entered: number;
  /** Infinity when it never returned. */
  readonly returned: number;
}

const WHOLE = /^(\d+) +(\w+)\((.*)\)\s+= (\?|-?\d+|0x[0-9a-f]+)(?:<([^>]*)>)?(?: (E[A-Z]+))?/;
const UNFINISHED = /^(\d+) +(\w+)\((.*) <unfinished \.\.\.>$/;
const RESUMED =
  /^(\d+) +<\.\.\. \w+ resumed>(.*)\)\s+= (\?|-?\d+|0x[0-9a-f]+)(?:<([^>]*)>)?(?: (E[A-Z]+))?/;

/**
 * The calls in the text that `strace -f -y -xx` writes, in the order in which they began. Every
 * string in it is in hexadecimal, so that no byte of one can be taken for syntax.
 */
export function parseSystemCalls(text: string): SystemCall[] {
  const calls: SystemCall[] = [];
  const open = new Map<number, { readonly index: number; readonly args: string }>();
  const lines = text.split('\n');
  for (const [line, content] of lines.entries()) {
    const resumed = RESUMED.exec(content);
    if (resumed !== null) {
      const [, thread, rest, result, path, error] = resumed as unknown as [string, ...string[]];
      const begun = open.get(Number(thread));
      if (begun === undefined) continue;
      open.delete(Number(thread));
      calls[begun.index] = {
        ...(calls[begun.index] as SystemCall),
        args: splitArguments(begun.args + rest),
        result: numberOf(result),
        error,
        resultPath: path === undefined ? undefined : String(bytesOf(path)),
        returned: line,
      };
      continue;
    }
    const match = WHOLE.exec(content) ?? UNFINISHED.exec(content);
    if (match === null) continue;
    const [, thread = '', name = '', args = '', result, path, error] = match;
    if (result === undefined) open.set(Number(thread), { index: calls.length, args });
    calls.push({
      number: calls.length + 1,
      thread: Number(thread),
      name,
      args: splitArguments(args),
      result: numberOf(result),
      error,
      resultPath: path === undefined ? undefined : String(bytesOf(path)),
      entered: line,
      returned: result === undefined ? Number.POSITIVE_INFINITY : line,
    });
  }
  return calls;
}

function numberOf(text: string | undefined): number {
  return text === undefined || text === '?' ? Number.NaN : Number(text);
}

/** Splits at the commas that stand in no bracket. */
function splitArguments(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let from = 0;
  for (let at = 0; at < text.length; at++) {
    const character = text.charCodeAt(at);
    // ( [ { and ) ] }
    if (character === 40 || character === 91 || character === 123) depth++;
    else if (character === 41 || character === 93 || character === 125) depth--;
    else if (character === 44 && depth === 0) {
      parts.push(text.slice(from, at).trim());
      from = at + 1;
    }
  }
  parts.push(text.slice(from).trim());
  return parts;
}

/** The bytes of `\x68\x69`; quotes around it do not matter. */
export function bytesOf(text: string): Buffer {
  return Buffer.from(text.replaceAll(/[\\x"]/g, ''), 'hex');
}

/** The number of a descriptor argument `3<path>`. */
export function descriptorOf(argument: string | undefined): number {
  return Number.parseInt(argument ?? '', 10);
}

/** The path in a descriptor argument `3<path>` or `AT_FDCWD<path>`; undefined without one. */
export function pathIn(argument: string | undefined): string | undefined {
  const path = /<(.*)>$/.exec(argument ?? '')?.[1];
  return path === undefined ? undefined : String(bytesOf(path));
}
