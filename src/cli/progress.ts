const INTERVAL_MS = 100;

/**
 * One line on standard error that counts up, for whoever watches a terminal; nothing where nobody
 * does.
 */
export class Progress {
  private readonly what: string;
  private readonly isShown = process.stderr.isTTY === true;
  private nextMs = performance.now() + INTERVAL_MS;
  private isDirty = false;
  private readonly expectedBytes: number | undefined;
  private doneBytes = 0;

  /** `expectedBytes` is what `add` counts up to, where that is known. */
  constructor(what: string, expectedBytes?: number) {
    this.what = what;
    this.expectedBytes = expectedBytes;
  }

  /** Bound, to be handed on. */
  readonly update = (doneBytes: number, totalBytes: number | undefined): void => {
    if (!this.isShown || performance.now() < this.nextMs) return;
    this.nextMs = performance.now() + INTERVAL_MS;
    this.isDirty = true;
    process.stderr.write(`\r${this.what}: ${progressText(doneBytes, totalBytes)}\u001b[K`);
  };

  /** Bound, to be handed on. */
  readonly add = (sizeBytes: number): void => {
    this.doneBytes += sizeBytes;
    this.update(this.doneBytes, this.expectedBytes);
  };

  end(): void {
    if (this.isDirty) process.stderr.write('\r\u001b[K');
    this.isDirty = false;
  }
}

function progressText(doneBytes: number, totalBytes: number | undefined): string {
  if (totalBytes === undefined) return sizeText(doneBytes);
  // The store may have grown since the work was measured.
  const share = totalBytes === 0 ? 100 : Math.min(100, Math.floor((100 * doneBytes) / totalBytes));
  return `${share} % of ${sizeText(totalBytes)}`;
}

const UNITS = ['bytes', 'KB', 'MB', 'GB', 'TB'];

export function sizeText(sizeBytes: number): string {
  let unit = 0;
  let value = sizeBytes;
  // 999.5 and more would be rounded to a thousand.
  for (; value >= 999.5 && unit < UNITS.length - 1; unit++) value /= 1000;
  return unit === 0 ? `${sizeBytes} bytes` : `${value.toPrecision(3)} ${UNITS[unit]}`;
}
