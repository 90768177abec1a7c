import type { FileSystem } from '../../src/engine/index.ts';

/** One call of a file system: `proceed` makes it. */
export interface Call {
  readonly method: keyof FileSystem;
  readonly args: readonly unknown[];
  readonly proceed: () => unknown;
}

/**
 * The same file system, with every call handed to `around`, which may look, fail it or change its
 * result.
 */
export function intercepted<T extends FileSystem>(
  fileSystem: T,
  around: (call: Call) => unknown,
): T {
  return new Proxy(fileSystem, {
    get(target, name) {
      const member = Reflect.get(target, name, target);
      if (typeof member !== 'function') return member;
      return (...args: unknown[]) =>
        around({
          method: name as keyof FileSystem,
          args,
          proceed: () => Reflect.apply(member, target, args),
        });
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
  'holdLease',
  'breakLease',
]);

/** Does the call change anything, or make a change durable? */
export function isChange({ method, args }: Call): boolean {
  return CHANGES.has(method) || (method === 'open' && args[1] === 'create');
}

/**
 * The file of every descriptor that was ever opened through `around`; memory file systems never
 * reuse one.
 */
export class DescriptorPaths {
  private readonly paths = new Map<number, string>();

  note({ method, args }: Call, result: unknown): void {
    if (method === 'open') this.paths.set(result as number, args[0] as string);
  }

  of(call: Call): string {
    return this.paths.get(call.args[0] as number) as string;
  }
}
