import type { StoreCalls } from '../kills/store-calls.ts';

export type ErrorName = 'EIO' | 'ENOSPC' | 'EDQUOT' | 'EINTR' | 'EMFILE';

/** An error that the kernel gives in the place of a system call. */
export interface InjectedFault {
  /** The fault in words. */
  readonly name: string;
  readonly call: string;
  readonly error: ErrorName;
  /** The argument of strace's `inject`. */
  readonly inject: string;
}

/** What can go wrong with each call; a call that is not here is left alone. */
const ERRORS: readonly (readonly [calls: RegExp, errors: readonly ErrorName[]])[] = [
  [/^(?:p?write(?:64|v|v2)?|copy_file_range|sendfile)$/, ['EIO', 'ENOSPC', 'EDQUOT', 'EINTR']],
  [/^(?:fsync|fdatasync)$/, ['EIO', 'ENOSPC', 'EDQUOT', 'EINTR']],
  [/^(?:msync|sync_file_range)$/, ['EIO']],
  [/^(?:f?truncate|fallocate)$/, ['EIO', 'ENOSPC', 'EINTR']],
  [/^(?:rename(?:at2?)?|link(?:at)?|mkdir(?:at)?)$/, ['EIO', 'ENOSPC', 'EDQUOT']],
  [/^(?:unlink(?:at)?|rmdir)$/, ['EIO']],
  [/^open(?:at)?$/, ['EIO', 'ENOSPC', 'EMFILE', 'EINTR']],
  [/^(?:read|pread64)$/, ['EIO', 'EINTR']],
];

/** Every error of every call that the store makes, once alone and once from that call on. */
export function faultsOf(calls: readonly StoreCalls[]): InjectedFault[] {
  const faults: InjectedFault[] = [];
  for (const { call, count } of calls) {
    const errors = ERRORS.find(([pattern]) => pattern.test(call))?.[1] ?? [];
    for (const error of errors) {
      for (let number = 1; number <= count; number++) {
        faults.push(faultAt(call, error, number, false));
        // Whoever is interrupted tries again, and would for ever.
        if (error !== 'EINTR') faults.push(faultAt(call, error, number, true));
      }
    }
  }
  return faults;
}

function faultAt(
  call: string,
  error: ErrorName,
  number: number,
  isLasting: boolean,
): InjectedFault {
  const when = isLasting ? `${number}+` : String(number);
  return {
    name: `${error} in ${call} ${number}${isLasting ? ' and all after it' : ''}`,
    call,
    error,
    inject: `inject=${call}:error=${error}:when=${when}`,
  };
}
