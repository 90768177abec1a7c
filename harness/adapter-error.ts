/** An adapter that cannot be used, in words. */
export class AdapterError extends Error {
  override readonly name = 'AdapterError';
}
