/** One way of crashing the store, with a budget of its own. A campaign runs one after the other. */
export interface CampaignPart {
  readonly name: string;
  /** What it can find broken, by name, each in one clause. */
  readonly invariants: Readonly<Record<string, string>>;
  /** Ends when its budget is used, or soon after the signal. */
  run(context: PartContext): Promise<PartResult>;
}

export interface PartContext {
  readonly signal: AbortSignal;
  readonly progress: Progress;
}

/** Tells a person how a campaign is going. */
export interface Progress {
  /** A line that stays. */
  print(line: string): void;
  /** What can be cut off on a narrow terminal comes last. */
  update(line: string): void;
}

export interface PartResult {
  /** What the summary shows; units stand in the names. */
  readonly figures: Readonly<Record<string, number>>;
  /** The same for people. */
  readonly rows: readonly (readonly [name: string, text: string])[];
  readonly failures: readonly Failure[];
  /** Did it see enough to judge? */
  readonly isConclusive: boolean;
}

export interface Failure {
  /** One of the part's. */
  readonly invariant: string;
  readonly message: string;
  readonly seed: number;
  /** Finds it again. */
  readonly command: string;
  /** Whatever else somebody who looks into it will want to see. */
  readonly details: readonly string[];
  /** Writes the store as it was found into `store` of this directory. */
  readonly keepStore: (directory: string) => void;
}

export interface FinishedPart {
  readonly part: CampaignPart;
  readonly result: PartResult;
  readonly durationMs: number;
}

/** Those that had begun when the signal came, in order. */
export async function runCampaign(
  parts: readonly CampaignPart[],
  context: PartContext,
): Promise<FinishedPart[]> {
  const finished: FinishedPart[] = [];
  for (const part of parts) {
    if (context.signal.aborted) break;
    const startMs = performance.now();
    const result = await part.run(context);
    finished.push({ part, result, durationMs: performance.now() - startMs });
  }
  return finished;
}
