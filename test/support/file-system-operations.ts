import { join } from 'node:path';
import fc from 'fast-check';
import type { FileSystem, OpenMode } from '../../src/engine/index.ts';

/**
 * Random calls of a `FileSystem`, and what they give in words that two file systems can be compared
 * by.
 */
export type Operation =
  | {
      readonly call: 'list' | 'stat' | 'makeDirectory' | 'remove' | 'removeDirectory';
      readonly path: string;
    }
  | { readonly call: 'directorySync'; readonly path: string }
  | { readonly call: 'rename' | 'link'; readonly path: string; readonly to: string }
  | { readonly call: 'open'; readonly path: string; readonly mode: OpenMode }
  | { readonly call: 'close' | 'tryLock' | 'dataSync' | 'statDescriptor'; readonly slot: number }
  | {
      readonly call: 'read';
      readonly slot: number;
      readonly length: number;
      readonly position: number;
    }
  | {
      readonly call: 'write' | 'writeVector';
      readonly slot: number;
      readonly bytes: string;
      readonly position: number;
    }
  | { readonly call: 'truncate'; readonly slot: number; readonly position: number };

const path = fc.constantFrom('a', 'b', 'd', 'd/a', 'd/b', 'd/e', 'a/x', 'd/e/a', 'none/a');
const slot = fc.nat(5);
const position = fc.oneof(fc.nat(20), fc.nat(3000));
/** A random call. */
export const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 2, arbitrary: fc.record({ call: fc.constant('makeDirectory' as const), path }) },
  {
    weight: 2,
    arbitrary: fc.record({
      call: fc.constantFrom('list' as const, 'stat', 'remove', 'removeDirectory', 'directorySync'),
      path,
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ call: fc.constantFrom('rename' as const, 'link'), path, to: path }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      call: fc.constant('open' as const),
      path,
      mode: fc.constantFrom('create' as const, 'write', 'read'),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      call: fc.constantFrom('close' as const, 'tryLock', 'dataSync', 'statDescriptor'),
      slot,
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      call: fc.constant('read' as const),
      slot,
      length: fc.integer({ min: 1, max: 4000 }),
      position,
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      call: fc.constantFrom('write' as const, 'writeVector'),
      slot,
      bytes: fc.string({ maxLength: 12 }),
      position,
    }),
  },
  { weight: 2, arbitrary: fc.record({ call: fc.constant('truncate' as const), slot, position }) },
);

/** Runs operations and says what each gave, in words that do not depend on the file system. */
export function trace(
  fileSystem: FileSystem,
  root: string,
  operations: readonly Operation[],
): unknown[] {
  const descriptors: number[] = [];
  const apply = (step: Operation): unknown => {
    if (!('slot' in step)) {
      const target = join(root, step.path);
      switch (step.call) {
        case 'open':
          return void descriptors.push(fileSystem.open(target, step.mode));
        case 'rename':
        case 'link':
          return fileSystem[step.call](target, join(root, step.to));
        case 'list':
          return fileSystem.list(target).sort();
        case 'stat':
          return describeStat(fileSystem.stat(target));
        case 'makeDirectory':
          return fileSystem.makeDirectory(target)?.slice(root.length);
        default:
          return fileSystem[step.call](target);
      }
    }
    const index = step.slot % Math.max(descriptors.length, 1);
    const descriptor = descriptors[index];
    if (descriptor === undefined) return 'nothing is open';
    switch (step.call) {
      case 'close':
        descriptors.splice(index, 1);
        return fileSystem.close(descriptor);
      case 'statDescriptor':
        return describeStat(fileSystem.statDescriptor(descriptor));
      case 'read': {
        const buffer = Buffer.alloc(step.length);
        const count = fileSystem.read(descriptor, buffer, 0, step.length, step.position);
        return [count, buffer.toString('latin1')];
      }
      case 'write': {
        const bytes = Buffer.from(step.bytes);
        return fileSystem.write(descriptor, bytes, 0, bytes.length, step.position);
      }
      case 'writeVector': {
        const bytes = Buffer.from(step.bytes);
        const parts = [bytes.subarray(0, 3), bytes.subarray(3)];
        return fileSystem.writeVector(descriptor, parts, step.position);
      }
      case 'truncate':
        return fileSystem.truncate(descriptor, step.position);
      default:
        return fileSystem[step.call](descriptor);
    }
  };
  const results = operations.map((step) => outcome(() => apply(step)));
  for (const descriptor of descriptors) fileSystem.close(descriptor);
  return results;
}

function describeStat(stat: ReturnType<FileSystem['stat']>): unknown {
  return stat?.kind === 'file' ? [stat.kind, stat.sizeBytes] : stat?.kind;
}

/** What a call gives: its value, or the code it fails with. */
export function outcome(call: () => unknown): unknown {
  try {
    return { value: call() };
  } catch (error) {
    return { code: (error as { code?: unknown }).code };
  }
}
