/** Text that is HTML already. Everything else is escaped where it is put in. */
export class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

export type Insertable = Html | string | number | undefined | readonly Insertable[];

/**
 * A piece of a page; what is inserted is escaped, for text as for quoted attributes, unless it is
 * `Html`.
 */
export function html(strings: TemplateStringsArray, ...inserted: readonly Insertable[]): Html {
  return new Html(String.raw({ raw: strings }, ...inserted.map(insert)));
}

/** JSON that can stand in a script element: no `</script>` and no `<!--` in it. */
export function jsonForScript(value: unknown): Html {
  return new Html(JSON.stringify(value).replaceAll('<', '\\u003c'));
}

function insert(value: Insertable): string {
  if (value === undefined) return '';
  if (value instanceof Html) return value.text;
  return Array.isArray(value) ? value.map(insert).join('') : escapeHtml(String(value));
}

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ESCAPES[character] as string);
}
