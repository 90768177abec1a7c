import { isAborted, type StoreError, wrapSystemError } from './errors.ts';
import { nowNs } from './probe.ts';
import { type ProbeSet, partDuration, partStart } from './probe-set.ts';
import type { OperationEvent, OperationResults } from './store-event.ts';

/**
 * One operation as the probes are told of it: it begins with this, and ends with `end`, before
 * which `failed` may say why. What it has done stands in `result` by then.
 */
export class Observation<Kind extends keyof OperationResults> {
  /** Its number, for its parts; 0 when there is no probe. */
  readonly operation: number;
  readonly result: OperationResults[Kind];
  private readonly probe: ProbeSet | undefined;
  private readonly kind: Kind;
  private readonly startNs: number;
  private error: unknown;

  constructor(probe: ProbeSet | undefined, kind: Kind, result: OperationResults[Kind]) {
    this.probe = probe;
    this.kind = kind;
    this.result = result;
    this.operation = probe?.begin(kind) ?? 0;
    if (kind === 'getMany') this.startNs = partStart(this.operation);
    else this.startNs = probe?.event === undefined ? 0 : nowNs();
  }

  /** The operation fails with this error, which is returned to be thrown. */
  failed<E>(error: E): E {
    this.error = error;
    return error;
  }

  end(): void {
    const { probe, kind, operation, result, startNs } = this;
    if (probe?.event === undefined) return;
    // Gets are timed only where a probe asked for it.
    const durationNs = kind === 'getMany' ? partDuration(operation, startNs) : nowNs() - startNs;
    const error = this.error as StoreError | undefined;
    probe.event({ kind, operation, startNs, durationNs, error, ...result } as OperationEvent);
  }
}

/**
 * What an operation that failed is to throw, and to tell the probes; undefined when its caller
 * ended it, and it is to throw what ended it.
 */
export type FailureOf = (error: unknown) => StoreError | undefined;

/** `FailureOf` an operation at `path` that its signal or a close may end early. */
export function unlessAborted(
  signal: AbortSignal | undefined,
  action: string,
  path: string,
): FailureOf {
  return (error) => (isAborted(error, signal) ? undefined : wrapSystemError(error, action, path));
}

/** Runs one operation, and tells the probes how it ended. `work` fills in the result. */
export async function observed<Kind extends keyof OperationResults, T>(
  probe: ProbeSet | undefined,
  kind: Kind,
  result: OperationResults[Kind],
  work: (operation: number) => Promise<T>,
  toFailure?: FailureOf,
): Promise<T> {
  const observation = new Observation(probe, kind, result);
  try {
    return await work(observation.operation);
  } catch (error) {
    if (toFailure === undefined) throw observation.failed(error);
    const failure = toFailure(error);
    if (failure !== undefined) throw observation.failed(failure);
    if ('outcome' in result) result.outcome = 'aborted' as typeof result.outcome;
    throw error;
  } finally {
    observation.end();
  }
}
