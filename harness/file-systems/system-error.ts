/** What Node's file system throws; `call` names the call that was made to fail. */
export function systemError(code: string, call = 'a call'): Error {
  return Object.assign(new Error(`${code}: ${call} failed on request`), { code });
}
