import { formatQuantity } from '../../quantity.ts';
import type { Gate } from './gate.ts';

/**
 * A value, a limit or an end of the interval of a gate, for a person: `143 MB`, `3.97 ms`, `2.1 %`.
 */
export function formatOfGate(
  value: number | null,
  { unit, kind }: Pick<Gate, 'unit' | 'kind'>,
): string {
  if (value === null) return '–';
  // A growth is a share of the beginning.
  return kind === 'growth' ? formatQuantity(value * 100, 'percent') : formatQuantity(value, unit);
}

const SIDES: Readonly<Record<Gate['comparison'], string>> = {
  '<': 'to be below',
  '<=': 'of at most',
  '>': 'to be above',
  '>=': 'of at least',
  '==': 'to be',
};

/** `143 MB of at most 400 MB` */
export function formatAgainstLimit(
  gate: Pick<Gate, 'value' | 'limit' | 'comparison' | 'unit' | 'kind'>,
): string {
  return `${formatOfGate(gate.value, gate)} ${SIDES[gate.comparison]} ${formatOfGate(gate.limit, gate)}`;
}
