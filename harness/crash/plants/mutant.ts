/**
 * A mistake that somebody could make in the engine. It is planted into a copy of the compiled
 * files.
 */
export interface Mutant {
  readonly name: string;
  /** What is wrong, in one clause. */
  readonly mistake: string;
  readonly edits: readonly Edit[];
  /** Asked one after the other until one finds it. */
  readonly checks: readonly MutantCheckName[];
}

/** A change of one compiled file. */
export interface Edit {
  /** The name of a file of `src/engine`, without folder and ending; each is there once. */
  readonly file: string;
  /** Stands there exactly once, whatever white space lies between its words. */
  readonly find: string;
  readonly replace: string;
}

/** Checks that a mutant is run through; see mutant-checks.ts. */
export type MutantCheckName = 'states' | 'corpus' | 'corners' | 'upkeep';

/** The text with the edit made; throws when the place is not there exactly once. */
export function applyEdit(text: string, { file, find, replace }: Edit): string {
  const words = find.trim().split(/\s+/);
  const pattern = new RegExp(
    words.map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('\\s+'),
    'g',
  );
  const count = text.match(pattern)?.length ?? 0;
  if (count !== 1) throw new Error(`'${find}' stands ${count} times in ${file}, and not once`);
  return text.replace(pattern, () => replace);
}
