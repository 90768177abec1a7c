/** Mutants that change nothing that anybody can see, by their names, each with the reason. */
export const JUDGED_EQUAL: Readonly<Record<string, string>> = {};
