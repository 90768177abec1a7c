/** `samples.csv` by columns. Cells that are empty, or no numbers, are NaN. */
export interface SampleTable {
  readonly rowCount: number;
  column(name: string): Float64Array | undefined;
  /** Whether anything was measured in a column. */
  hasValues(name: string): boolean;
}

/** A last line that a crash has cut short is left out. Throws when there is no `elapsed_s`. */
export function parseSamples(csv: string): SampleTable {
  const lines = csv.split('\n');
  const names = (lines[0] ?? '').trim().split(',');
  if (!names.includes('elapsed_s')) throw new Error('samples.csv has no column elapsed_s');
  const rows = lines
    .slice(1)
    .map((line) => line.split(','))
    .filter((cells) => cells.length === names.length && cells[0] !== '');
  const columns = new Map(
    names.map((name, index) => [
      name,
      Float64Array.from(rows, (cells) => parseCell(cells[index] as string)),
    ]),
  );
  return {
    rowCount: rows.length,
    column: (name) => columns.get(name),
    hasValues: (name) => columns.get(name)?.some((value) => !Number.isNaN(value)) ?? false,
  };
}

function parseCell(cell: string): number {
  return cell === '' ? Number.NaN : Number(cell);
}
