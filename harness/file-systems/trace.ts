/**
 * What a program did to the disk, in order. Indexes into the list of events are the times at which
 * the power can go.
 */
export type TraceEvent =
  | {
      readonly kind: 'write';
      readonly inode: number;
      readonly position: number;
      readonly bytes: Buffer;
    }
  | { readonly kind: 'truncate'; readonly inode: number; readonly sizeBytes: number }
  /**
   * A sync that has returned. It covers what was done to the file before event number `since`, when
   * it began.
   */
  | {
      readonly kind: 'dataSync';
      readonly inode: number;
      readonly since: number;
      /** Events before `since` that had not returned when it began, and that it need not cover. */
      readonly inFlight?: readonly number[];
      /** It was an `fdatasync`, which leaves names alone. */
      readonly onlyData?: true;
    }
  /**
   * The kernel could not write back the bytes that a file got from event `since` on, keeps them in
   * its cache, and takes them for clean: no later sync covers them any more. Only writing them once
   * more does.
   */
  | { readonly kind: 'writebackFailed'; readonly inode: number; readonly since: number }
  /**
   * A file that had been cut to nothing was closed: ext4 gives its bytes their blocks now, so that
   * the next commit of its journal waits for them. Other file systems do nothing.
   */
  | { readonly kind: 'closedAfterTruncate'; readonly inode: number }
  | { readonly kind: 'makeDirectory'; readonly path: string }
  | { readonly kind: 'removeDirectory'; readonly path: string }
  | { readonly kind: 'create'; readonly path: string; readonly inode: number }
  | { readonly kind: 'remove'; readonly path: string }
  /**
   * `inode` of the file that got another name; undefined for a directory, which takes along what is
   * in it.
   */
  | {
      readonly kind: 'rename';
      readonly from: string;
      readonly to: string;
      readonly inode: number | undefined;
    }
  | {
      readonly kind: 'directorySync';
      readonly path: string;
      readonly since: number;
      readonly inFlight?: readonly number[];
    };
