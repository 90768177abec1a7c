import type { FuzzFailure } from './fuzz-messages.ts';
import { FuzzProcess, FuzzProcessLost } from './fuzz-process.ts';
import type { FuzzInput } from './fuzz-target.ts';

const MOST_ATTEMPTS = 600;
const SHRINK_MS = 20_000;

/** What a failure is about, whatever the numbers in it. */
export function kindOf({ target, message }: Pick<FuzzFailure, 'target' | 'message'>): string {
  return `${target}: ${(message.split('\n')[0] ?? '').replace(/0x[0-9a-f]+|[0-9a-f]{8,}|\d+/g, '#')}`;
}

/**
 * A smaller input that fails in the same way: parts left out, then pieces, then bytes made zero.
 */
export async function shrink(failure: FuzzFailure, silenceMs: number): Promise<FuzzFailure> {
  const judge = new Judge(failure, silenceMs);
  try {
    let best = failure;
    for (let again = true; again; ) {
      again = false;
      for (const candidate of candidates(best.input)) {
        const smaller = await judge.stillFails(candidate);
        if (smaller === undefined) continue;
        best = { ...smaller, index: failure.index };
        again = true;
        break;
      }
    }
    return best;
  } finally {
    await judge.end();
  }
}

/** Fails one input after the other, in a process that is replaced when it is lost. */
class Judge {
  private readonly failure: FuzzFailure;
  private readonly silenceMs: number;
  private readonly deadlineMs = performance.now() + SHRINK_MS;
  private attempts = 0;
  private process = new FuzzProcess();

  constructor(failure: FuzzFailure, silenceMs: number) {
    this.failure = failure;
    this.silenceMs = silenceMs;
  }

  async stillFails(input: FuzzInput): Promise<FuzzFailure | undefined> {
    if (this.attempts++ >= MOST_ATTEMPTS || performance.now() > this.deadlineMs) return undefined;
    const { target } = this.failure;
    let found: FuzzFailure | undefined;
    try {
      found = (await this.process.check({ type: 'input', target, input }, this.silenceMs)).failure;
    } catch (error) {
      if (!(error instanceof FuzzProcessLost)) throw error;
      await this.process.end();
      this.process = new FuzzProcess();
      found = { index: undefined, target, message: error.message, input };
    }
    return found !== undefined && kindOf(found) === kindOf(this.failure) ? found : undefined;
  }

  end(): Promise<void> {
    return this.process.end();
  }
}

function* candidates(input: FuzzInput): Generator<FuzzInput> {
  for (const name of input.keys()) {
    if (input.size > 1) yield new Map([...input].filter(([other]) => other !== name));
  }
  for (const [name, bytes] of input) {
    for (let size = bytes.length >> 1; size >= Math.max(1, bytes.length >> 6); size >>= 1) {
      for (let at = 0; at < bytes.length; at += size) {
        const cut = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + size)]);
        yield new Map([...input, [name, cut] as const]);
      }
    }
    for (let size = bytes.length >> 2; size >= Math.max(4, bytes.length >> 6); size >>= 1) {
      for (let at = 0; at < bytes.length; at += size) {
        if (bytes.subarray(at, at + size).every((byte) => byte === 0)) continue;
        yield new Map([
          ...input,
          [name, Buffer.from(bytes).fill(0, at, Math.min(at + size, bytes.length))] as const,
        ]);
      }
    }
  }
}
