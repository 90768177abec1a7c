// A plugin of typedoc: a page of the guide is called by its first heading, and not by its file. In
// the picture of a block of code, what stands behind its language (`not-run: …`) is not shown.
import { Converter, DocumentReflection } from 'typedoc';

export function load(app) {
  app.converter.on(Converter.EVENT_CREATE_DOCUMENT, (_context, page) => {
    if (!(page instanceof DocumentReflection)) return;
    const [first] = page.content;
    const heading = /^# (.+)$/m.exec(first?.text ?? '')?.[1];
    if (heading === undefined) throw new Error(`${page.name} has no first heading`);
    page.name = heading;
    for (const part of page.content)
      if (part.kind === 'text') part.text = part.text.replace(/^```(\w+) not-run: .*$/gm, '```$1');
  });
}
