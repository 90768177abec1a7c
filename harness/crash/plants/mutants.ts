import type { Mutant } from './mutant.ts';
import { ARGUMENT_MUTANTS } from './mutants-of-arguments.ts';
import { DURABILITY_MUTANTS } from './mutants-of-durability.ts';
import { END_MUTANTS } from './mutants-of-ends.ts';
import { EVIDENCE_MUTANTS } from './mutants-of-evidence.ts';
import { IDENTITY_MUTANTS } from './mutants-of-identity.ts';
import { MERGE_MUTANTS } from './mutants-of-merge.ts';
import { READING_MUTANTS } from './mutants-of-reading.ts';
import { RECOVERY_MUTANTS } from './mutants-of-recovery.ts';
import { SEAL_MUTANTS } from './mutants-of-seals.ts';
import { UPKEEP_MUTANTS } from './mutants-of-upkeep.ts';

/** All mutants, in the order of the table in docs/harness-crash.md. */
export const MUTANTS: readonly Mutant[] = [
  ...DURABILITY_MUTANTS,
  ...RECOVERY_MUTANTS,
  ...READING_MUTANTS,
  ...SEAL_MUTANTS,
  ...EVIDENCE_MUTANTS,
  ...MERGE_MUTANTS,
  ...IDENTITY_MUTANTS,
  ...END_MUTANTS,
  ...ARGUMENT_MUTANTS,
  ...UPKEEP_MUTANTS,
];
