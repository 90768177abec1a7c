import type { Violation } from '../../store-check.ts';

export type RunOutcome =
  | { readonly kind: 'completed' }
  | { readonly kind: 'stopped' }
  /** What the store said is not what it was told. */
  | {
      readonly kind: 'violated';
      readonly doing: string;
      readonly count: number;
      readonly violations: readonly Violation[];
    }
  /** The store threw. `errno` names the operating-system error behind it, if there is one. */
  | {
      readonly kind: 'failed';
      readonly doing: string;
      readonly message: string;
      readonly errno?: string;
    };

/** The disk is full, which is nobody's fault that a soak could judge. */
const NO_ROOM: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT']);

export function isNoRoom({ errno }: Extract<RunOutcome, { kind: 'failed' }>): boolean {
  return NO_ROOM.has(errno ?? '');
}

/** Thrown where the store does not hold what it was told. */
export class ViolationsFound extends Error {
  readonly count: number;
  readonly violations: readonly Violation[];

  constructor(count: number, violations: readonly Violation[]) {
    super('the store does not hold what it was told');
    this.count = count;
    this.violations = violations;
  }
}

/** The outcome of a run that threw something that is the store's fault. */
export function outcomeOf(error: unknown, doing: string): RunOutcome {
  if (error instanceof ViolationsFound) {
    const { count, violations } = error;
    return { kind: 'violated', doing, count, violations };
  }
  const errno = errnoBehind(error);
  return {
    kind: 'failed',
    doing,
    message: error instanceof Error ? error.message : String(error),
    ...(errno === undefined ? {} : { errno }),
  };
}

/** The operating-system error at the root of a chain of causes. */
function errnoBehind(error: unknown): string | undefined {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const { code } = cause as { code?: unknown };
    if (typeof code === 'string' && /^E[A-Z0-9]+$/.test(code)) return code;
  }
  return undefined;
}
