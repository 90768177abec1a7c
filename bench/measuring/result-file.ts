import { readFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import { UsageError } from './bench-directory.ts';
import { RESULT_SCHEMA, type Result } from './result.ts';

const NUMBER = { type: 'number' };
const TEXT = { type: 'string' };

/** What reading relies on; what is only shown may be missing. */
const isResult = new Ajv().compile({
  type: 'object',
  required: ['schema', 'command', 'host', 'versions', 'load', 'scale', 'rows', 'counts'],
  properties: {
    schema: NUMBER,
    command: TEXT,
    scale: NUMBER,
    host: { type: 'object', required: ['machineClass'] },
    versions: { type: 'object', required: ['node', 'checksum'] },
    load: { type: 'object', required: ['before', 'after'] },
    rows: {
      type: 'array',
      items: {
        type: 'object',
        required: ['id', 'name', 'unit', 'launches'],
        properties: {
          id: TEXT,
          name: TEXT,
          unit: { enum: ['ns', 'bytes'] },
          launches: {
            type: 'array',
            minItems: 1,
            items: { type: 'array', minItems: 1, items: { type: 'number', minimum: 0 } },
          },
        },
      },
    },
    counts: {
      type: 'array',
      items: {
        type: 'object',
        required: ['id', 'name', 'value'],
        properties: { id: TEXT, name: TEXT, value: NUMBER },
      },
    },
  },
});

/**
 * A result that an earlier run has written. Throws `UsageError` when it is none, or of another
 * schema.
 */
export function readResult(path: string): Result {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new UsageError(`cannot read ${path}: ${(error as Error).message}`);
  }
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (error) {
    throw new UsageError(
      `${path} is truncated or no JSON (${text.length} characters): ${(error as Error).message}`,
    );
  }
  const { schema } = (content ?? {}) as { schema?: unknown };
  if (schema !== RESULT_SCHEMA) {
    throw new UsageError(
      `${path} has schema ${schema}, and this is schema ${RESULT_SCHEMA}: measure it again`,
    );
  }
  if (!isResult(content)) {
    const [fault] = isResult.errors ?? [];
    throw new UsageError(
      `${path} is no result of a benchmark: ${fault?.instancePath || '/'} ${fault?.message}`,
    );
  }
  return content as unknown as Result;
}
