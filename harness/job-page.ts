import { appendFileSync } from 'node:fs';

/** Appends Markdown to the page that GitHub shows of a job, when there is one. */
export function appendToJobPage(markdown: string): void {
  const path = process.env.GITHUB_STEP_SUMMARY;
  if (path !== undefined && path !== '') appendFileSync(path, `${markdown}\n`);
}

/** Text for a cell of a table: it neither ends the cell nor begins anything else. */
export function cell(text: string): string {
  return text.replace(/[\\|<>`*_[\]]/g, '\\$&').replace(/\s*\n\s*/g, ' ');
}

/** The lines with the command that does the same again. */
export function repeatLines(command: string): string[] {
  return ['Repeat with:', '', '```sh', command, '```'];
}
