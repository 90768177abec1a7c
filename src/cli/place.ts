import { CommandError } from './failure.ts';

export interface Place {
  readonly segmentId: number;
  /** Bytes from the start of the segment. */
  readonly offset: number;
}

export function segmentFile(segmentId: number): string {
  return `${String(segmentId).padStart(8, '0')}.dwal`;
}

/** The name of a place in messages and commands. */
export function placeName({ segmentId, offset }: Place): string {
  return `${segmentFile(segmentId)}:${offset}`;
}

/** `00000003.dwal:1234`, or `3:1234` for short. */
export function parsePlace(text: string): Place {
  const match = /^(?:(\d{8})\.dwal|(\d{1,8})):(\d{1,15})$/.exec(text);
  const segmentId = Number(match?.[1] ?? match?.[2]);
  if (match === null || segmentId === 0)
    throw new CommandError(
      `'${text}' is not a place; give one such as 00000003.dwal:1234, or 3:1234`,
    );
  return { segmentId, offset: Number(match[3]) };
}
