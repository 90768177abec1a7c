import { basename } from 'node:path';
import type { FileSystem } from '../../src/engine/index.ts';

/** One call of a file system; `proceed` makes it. */
export interface Call {
  readonly method: keyof FileSystem;
  readonly args: readonly unknown[];
  /** The path that it is about, or at which its descriptor was opened. */
  readonly path: string;
  /** The last part of `path`. */
  readonly name: string;
  readonly proceed: () => unknown;
}

/**
 * The same file system, with every call handed to `around`: what that returns or throws is what the
 * caller gets.
 */
export function intercept<T extends FileSystem>(inner: T, around: (call: Call) => unknown): T {
  const paths = new Map<unknown, string>();
  return new Proxy(inner, {
    get(target, property) {
      const member = Reflect.get(target, property, target);
      if (typeof member !== 'function') return member;
      return (...args: unknown[]) => {
        const method = property as keyof FileSystem;
        const path = typeof args[0] === 'string' ? args[0] : (paths.get(args[0]) ?? '');
        const result = around({
          method,
          args,
          path,
          name: basename(path),
          proceed: () => Reflect.apply(member, target, args),
        });
        if (method === 'open') paths.set(result, path);
        return result;
      };
    },
  });
}

const CHANGES: ReadonlySet<keyof FileSystem> = new Set<keyof FileSystem>([
  'makeDirectory',
  'rename',
  'link',
  'remove',
  'removeDirectory',
  'write',
  'writeVector',
  'truncate',
  'dataSync',
  'dataSyncAsync',
  'directorySync',
  'directorySyncAsync',
  'tryLock',
  'holdLease',
  'breakLease',
]);

/** Does the call change what others find, or make a change durable? */
export function isChange({ method, args }: Call): boolean {
  return CHANGES.has(method) || (method === 'open' && args[1] === 'create');
}
