import { AdapterError } from '../store-under-test.ts';

/**
 * A package that only its adapter needs, and that is installed when somebody wants it. Throws
 * `AdapterError`.
 */
export async function installedPackage<T>(name: string): Promise<T> {
  try {
    return (await import(name)) as T;
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new AdapterError(
      `the adapter ${name} needs the package of that name: npm install --no-save ${name}`,
      { cause: error },
    );
  }
}
