/** What the promise rejects with. A store that opens where it should not is closed again. */
export async function rejectionOf(promise: Promise<unknown>): Promise<unknown> {
  let value: unknown;
  try {
    value = await promise;
  } catch (error) {
    return error;
  }
  await (value as { close?: () => Promise<void> } | undefined)?.close?.();
  throw new Error('it should have been refused, and was not');
}

/** What a call throws, or its promise rejects with. */
export function failureOf(call: () => unknown): Promise<unknown> {
  return rejectionOf((async () => call())());
}
