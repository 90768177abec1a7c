/** Nanoseconds a call, for each of several rounds, of work that is timed in turn so that drift hits all alike. */
export interface Measured {
  readonly name: string;
  readonly roundsNs: readonly number[];
}

export interface Work {
  readonly name: string;
  /** Does `count` calls. */
  readonly run: (count: number) => void | Promise<void>;
}

/** Runs every work once a round, `rounds` times after one warm-up round. */
export async function interleave(works: readonly Work[], count: number, rounds: number): Promise<Measured[]> {
  const times = works.map(() => [] as number[]);
  for (let round = 0; round <= rounds; round++) {
    for (const [index, work] of works.entries()) {
      const startNs = process.hrtime.bigint();
      await work.run(count);
      const elapsedNs = Number(process.hrtime.bigint() - startNs);
      if (round > 0) (times[index] as number[]).push(elapsedNs / count);
    }
  }
  return works.map(({ name }, index) => ({ name, roundsNs: times[index] as number[] }));
}
