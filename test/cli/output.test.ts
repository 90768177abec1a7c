import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { Output } from '../../src/cli/output.ts';
import { printable } from '../../src/cli/printable.ts';

/** What `write` makes it say. */
async function said(write: (output: Output) => void): Promise<string> {
  const pieces: Buffer[] = [];
  const spy = vi.spyOn(process.stdout, 'write').mockImplementation(((
    chunk: Buffer,
    done: () => void,
  ) => {
    pieces.push(Buffer.from(chunk));
    done();
    return true;
  }) as typeof process.stdout.write);
  try {
    const output = new Output();
    write(output);
    await output.flush();
  } finally {
    spy.mockRestore();
  }
  return Buffer.concat(pieces).toString();
}

const TEXT = fc.string({ unit: 'grapheme', maxLength: 120 }).map((text) => Buffer.from(text));
/** Text that a cut, a control character or a stray byte has spoilt, anywhere. */
const SPOILT = fc
  .tuple(TEXT, fc.uint8Array({ maxLength: 3 }), fc.nat(120))
  .map(([text, more, at]) => Buffer.concat([text.subarray(0, at), more, text.subarray(at)]));
const BYTES = fc.oneof(TEXT, SPOILT, fc.uint8Array({ maxLength: 700 }));

describe('output', () => {
  test('prints bytes as the function that says how they are printed', async () => {
    await fc.assert(
      fc.asyncProperty(
        BYTES,
        fc.oneof(fc.constant(Number.POSITIVE_INFINITY), fc.nat(100)),
        async (value, limitBytes) => {
          const line = await said((output) => {
            output.reserve(value.length);
            output.printable(value, limitBytes);
          });
          expect(line).toBe(printable(value, limitBytes));
        },
      ),
      { numRuns: 2000 },
    );
  });

  test('encodes base64 as everybody does', async () => {
    await fc.assert(
      fc.asyncProperty(BYTES, async (value) => {
        const line = await said((output) => {
          output.reserve(value.length);
          output.base64(value);
        });
        expect(line).toBe(Buffer.from(value).toString('base64'));
      }),
    );
  });
});

describe('printable', () => {
  test('text is itself, and whatever is encoded can be decoded', () => {
    fc.assert(
      fc.property(BYTES, (value) => {
        const shown = printable(value);
        const match = /^(hex|b64):(.*)$/s.exec(shown);
        const decoded =
          match === null
            ? Buffer.from(shown)
            : Buffer.from(match[2] as string, match[1] === 'hex' ? 'hex' : 'base64');
        expect(decoded.equals(value)).toBe(true);
        expect(shown).not.toMatch(/\p{C}/u);
      }),
      { numRuns: 2000 },
    );
  });

  test('a cut goes between characters, and says how many bytes it left out', () => {
    expect(printable(Buffer.from('ééé'), 3)).toBe('é... (4 bytes more)');
    expect(printable(Buffer.from([0x61, 0x80, 0x62]), 2)).toBe('hex:6180... (1 bytes more)');
  });
});
