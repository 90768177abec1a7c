/** Parts that cost next to nothing. What breaks comes from the environment: `part:unit`. */
export function madeUpParts() {
  const broken = new Set((process.env.MADE_UP_BROKEN ?? '').split(' '));
  const part = (name, units) => ({
    name,
    invariants: { I1: 'it holds' },
    list: async () => units,
    floors: (count) => ({ steps: count }),
    run: async (unit) => ({
      counts: { steps: unit + 1 },
      measured: { mostMs: unit },
      seen: `${name} ${unit}`,
      findings: broken.has(`${name}:${unit}`)
        ? [
            {
              invariant: 'I1',
              message: `unit ${unit} lost 0x${unit}f bytes`,
              steps: ['put', 'die'],
              command: 'again',
              details: [],
            },
          ]
        : [],
    }),
  });
  return [part('first', 23), part('second', 9)];
}
