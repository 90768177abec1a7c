/** What Node's file system throws, of a call that was made to fail. */
export function systemError(code: string, call: string): Error {
  return Object.assign(new Error(`${code}: ${call} failed on request`), { code });
}
