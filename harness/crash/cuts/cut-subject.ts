import type { DiskImage } from '../../file-systems/disk-image.ts';
import type { Recording } from '../recording/recording.ts';

/** The power goes before event `at` of a recording begins. */
export interface Moment {
  readonly recording: Recording;
  readonly at: number;
}

/** What is wrong with an image, in words. */
export interface CutVerdict {
  readonly promise: string;
  readonly message: string;
}

/** Whatever can say whether an image is right: a store behind its adapter, or a check command. */
export interface CutSubject {
  /** Opens the image, unless it was opened before. Undefined when nothing is wrong. */
  judge(image: DiskImage, digest: string, moment: Moment): Promise<CutVerdict | undefined>;
  /** The acknowledgement that an image of this moment must keep, as a clause, if there is one. */
  acknowledged(moment: Moment): { readonly text: string; readonly call: number } | undefined;
  /** Images that were opened. */
  readonly opened: number;
  end(): void;
}
