import { appendFileSync, cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

export type SlowedMethod = 'get' | 'put';

/** Steps that wait for each other, and a result that is kept: no compiler leaves them out. */
const SPIN = `let spun = 1;
function spin(steps) {
  for (let step = 0; step < steps; step++) spun = (Math.imul(spun, 1103515245) + 12345) | 0;
  return spun;
}`;

/**
 * A copy of a compiled engine in which one method of the store first makes so many steps. Gives its
 * `dist`.
 */
export function slowedBuild(
  dist: string,
  directory: string,
  method: SlowedMethod,
  steps: number,
): string {
  const copy = join(directory, 'dist');
  mkdirSync(copy, { recursive: true });
  cpSync(join(dist, 'src'), join(copy, 'src'), {
    recursive: true,
    filter: (path) => !/\.(?:d\.ts|map)$/.test(path),
  });
  writeFileSync(join(directory, 'package.json'), '{ "type": "module" }\n');
  const root = dirname(createRequire(import.meta.url).resolve('tidemark/package.json'));
  symlinkSync(join(root, 'node_modules'), join(directory, 'node_modules'));
  appendFileSync(
    join(copy, 'src', 'engine', 'store.js'),
    `
${SPIN}
const plain = Store.prototype.${method};
Store.prototype.${method} = function (first, second) {
  spin(${steps});
  return plain.call(this, first, second);
};
`,
  );
  return copy;
}

const CALIBRATION_STEPS = 100_000;
const CALIBRATION_RUNS = 2_000;

/** How long a step takes: the fastest of many short runs, as the rows are judged. */
export function nsAStep(): number {
  const spin = new Function(`${SPIN}\nreturn spin;`)() as (steps: number) => number;
  let least = Number.POSITIVE_INFINITY;
  for (let run = 0; run < CALIBRATION_RUNS; run++) {
    const startNs = process.hrtime.bigint();
    spin(CALIBRATION_STEPS);
    least = Math.min(least, Number(process.hrtime.bigint() - startNs));
  }
  return least / CALIBRATION_STEPS;
}
