import type { WriteStream } from 'node:tty';
import { printableLines } from '../../standard-streams.ts';
import type { Progress } from './campaign.ts';

const CLEAR_LINE = '\r\u001b[2K';
/** Seldom enough for a log, often enough for a pipeline that kills what is silent. */
const PLAIN_INTERVAL_MS = 10_000;

/** One live line on a terminal, a plain line an interval anywhere else. */
export function campaignProgress(stream: NodeJS.WriteStream): Progress & { end(): void } {
  return stream.isTTY ? new LiveLine(stream) : new PlainLines(stream);
}

class LiveLine {
  private readonly stream: WriteStream;

  constructor(stream: WriteStream) {
    this.stream = stream;
  }

  print(line: string): void {
    this.stream.write(`${CLEAR_LINE}${printableLines(line)}\n`);
  }

  update(line: string): void {
    // A line that wraps cannot be cleared.
    this.stream.write(`${CLEAR_LINE}${printableLines(line).slice(0, this.stream.columns - 1)}`);
  }

  end(): void {
    this.stream.write(CLEAR_LINE);
  }
}

class PlainLines {
  private readonly stream: NodeJS.WritableStream;
  private nextAtMs = performance.now() + PLAIN_INTERVAL_MS;

  constructor(stream: NodeJS.WritableStream) {
    this.stream = stream;
  }

  print(line: string): void {
    this.stream.write(`${printableLines(line)}\n`);
  }

  update(line: string): void {
    if (performance.now() < this.nextAtMs) return;
    this.nextAtMs = performance.now() + PLAIN_INTERVAL_MS;
    this.print(line);
  }

  end(): void {}
}
