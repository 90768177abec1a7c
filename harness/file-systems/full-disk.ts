import type { FileSystem } from '../../src/engine/index.ts';
import { intercept } from './intercepted.ts';
import { systemError } from './system-error.ts';

/**
 * The same file system without a free block: nothing is made, and no file becomes longer. What
 * stands in a block that is there may be written over.
 */
export function withFullDisk<T extends FileSystem>(inner: T): T {
  return intercept(inner, ({ method, args, proceed }) => {
    if (method === 'makeDirectory' || method === 'holdLease') throw systemError('ENOSPC');
    if (method === 'open' && args[1] === 'create') throw systemError('ENOSPC');
    if (method === 'write') {
      const [descriptor, , , length, position] = args as [
        number,
        Uint8Array,
        number,
        number,
        number,
      ];
      if (position + length > inner.statDescriptor(descriptor).sizeBytes)
        throw systemError('ENOSPC');
    }
    if (method === 'writeVector') throw systemError('ENOSPC');
    return proceed();
  });
}
