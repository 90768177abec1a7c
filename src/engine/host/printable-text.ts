/** Control, format and unassigned characters: they would hide, reorder or move what is shown. */
const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}]/gu;

const SHORT: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/**
 * Text of strangers (a path, a name in a directory, a host name, what a system call said) for a
 * terminal, a log or one line of a report: what is not printable is escaped, `\u{1b}`, and the rest
 * is as it was. The messages of `StoreError` have been through it.
 */
export function printableText(text: string): string {
  return text.replace(
    UNPRINTABLE,
    (character) => SHORT[character] ?? `\\u{${character.codePointAt(0)?.toString(16)}}`,
  );
}
