const INTERVAL_MS = 100;

/** One line on standard error that counts up, for whoever watches a terminal; nothing where nobody does. */
export class Progress {
  private readonly what: string;
  private readonly isShown = process.stderr.isTTY === true;
  private nextMs = performance.now() + INTERVAL_MS;
  private isDirty = false;

  constructor(what: string) {
    this.what = what;
  }

  /** Bound, to be handed on. */
  readonly update = (doneBytes: number, totalBytes: number): void => {
    if (!this.isShown || performance.now() < this.nextMs) return;
    this.nextMs = performance.now() + INTERVAL_MS;
    this.isDirty = true;
    const share = totalBytes === 0 ? 100 : Math.floor((100 * doneBytes) / totalBytes);
    process.stderr.write(`\r${this.what}: ${share} % of ${sizeText(totalBytes)}\u001b[K`);
  };

  end(): void {
    if (this.isDirty) process.stderr.write('\r\u001b[K');
    this.isDirty = false;
  }
}

const UNITS = ['bytes', 'KB', 'MB', 'GB', 'TB'];

export function sizeText(sizeBytes: number): string {
  let unit = 0;
  let value = sizeBytes;
  for (; value >= 1000 && unit < UNITS.length - 1; unit++) value /= 1000;
  return unit === 0 ? `${sizeBytes} bytes` : `${value.toPrecision(3)} ${UNITS[unit]}`;
}
