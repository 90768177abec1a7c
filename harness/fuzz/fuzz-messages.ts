import type { FuzzInput } from './fuzz-target.ts';

export type ToFuzzChild =
  /** Checks the inputs numbered `from` to `to - 1`, up to the first that fails. */
  | {
      readonly type: 'range';
      readonly seed: number;
      readonly from: number;
      readonly to: number;
      readonly only: string | undefined;
      /** Says each number before its input is checked. */
      readonly tellsEach: boolean;
    }
  | { readonly type: 'input'; readonly target: string; readonly input: FuzzInput }
  | { readonly type: 'end' };

export type FromFuzzChild =
  | { readonly type: 'at'; readonly index: number }
  | {
      readonly type: 'checked';
      /** How many of each target held. */
      readonly counts: Readonly<Record<string, number>>;
      readonly failure: FuzzFailure | undefined;
    };

export interface FuzzFailure {
  /** Undefined for an input that was given instead of made. */
  readonly index: number | undefined;
  readonly target: string;
  readonly message: string;
  readonly input: FuzzInput;
}
