import { Mishandled } from './fuzz-target.ts';

/**
 * What a check may allocate at once whatever its input: chunks and blocks of a megabyte, and room
 * to spare.
 */
const BASE_BYTES = 4 * 1024 * 1024;
const TIMES_INPUT = 4;

type Allocate = (sizeBytes: number, ...rest: never[]) => Buffer;

/**
 * Runs a check; throws `Mishandled` for a single buffer that is out of proportion to the input.
 */
export async function withAllocationWatch(
  inputBytes: number,
  check: () => void | Promise<void>,
): Promise<void> {
  const limitBytes = BASE_BYTES + TIMES_INPUT * inputBytes;
  const watched = ['alloc', 'allocUnsafe', 'allocUnsafeSlow'] as const;
  const originals = watched.map((name) => Buffer[name] as Allocate);
  let excess: Mishandled | undefined;
  watched.forEach((name, index) => {
    (Buffer as unknown as Record<string, Allocate>)[name] = (sizeBytes, ...rest) => {
      if (sizeBytes > limitBytes) {
        // Kept as well as thrown: the code under test may take it for a failure of the disk.
        excess ??= new Mishandled(`a buffer of ${sizeBytes} bytes for an input of ${inputBytes}`);
        throw excess;
      }
      return (originals[index] as Allocate).call(Buffer, sizeBytes, ...rest);
    };
  });
  try {
    await check();
  } catch (error) {
    throw excess ?? error;
  } finally {
    watched.forEach((name, index) => {
      (Buffer as unknown as Record<string, Allocate>)[name] = originals[index] as Allocate;
    });
  }
  if (excess !== undefined) throw excess;
}
