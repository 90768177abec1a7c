import { basename } from 'node:path';
import type { FileSystem } from '../../src/engine/index.ts';

export interface FileSystemCall {
  readonly method: keyof FileSystem;
  readonly args: readonly unknown[];
  /** Last part of the path, or of the path at which the descriptor was opened. */
  readonly name: string;
}

/**
 * Sees every call before it is made; `proceed` makes it. What is returned or thrown is what the
 * caller gets.
 */
export type Interceptor = (call: FileSystemCall, proceed: () => unknown) => unknown;

export function intercept<T extends FileSystem>(inner: T, interceptor: Interceptor): T {
  const names = new Map<unknown, string>();
  return new Proxy(inner, {
    get(target, property) {
      const method = Reflect.get(target, property);
      if (typeof method !== 'function') return method;
      return (...args: unknown[]) => {
        const name = typeof args[0] === 'string' ? basename(args[0]) : (names.get(args[0]) ?? '?');
        const call = { method: property as keyof FileSystem, args, name };
        const result = interceptor(call, () => Reflect.apply(method, target, args));
        if (property === 'open') names.set(result, name);
        return result;
      };
    },
  });
}

export function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: injected`), { code });
}
