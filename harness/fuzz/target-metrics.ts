import { Registry } from 'prom-client';
import { prometheusProbe } from '../../src/telemetry/prometheus.ts';
import { mutateBytes, pick } from './byte-mutation.ts';
import { type FuzzTarget, Mishandled, onlyPart } from './fuzz-target.ts';

const NAMES = [
  'sessions',
  '"} 1\ntidemark_keys{store="x',
  '\\',
  '\\n"',
  '\u2028',
  '{}',
  '\r\n',
  '\ud800',
  '',
  '#',
];

/** A line of the Prometheus text format, whose label values may hold anything that is escaped. */
const LINE =
  /^(?:# (?:HELP|TYPE) \w+ .*|\w+\{(?:\w+="(?:[^"\\\n]|\\["\\n])*",?)*\} (?:[-+\d.eE]+|NaN|[+-]Inf))$/;

/** Hostile names of stores: the exposition stays well formed, and says the name. */
export const metricsTarget: FuzzTarget = {
  name: 'metrics',
  weight: 3,
  make: (prng) =>
    new Map([
      ['name', mutateBytes(prng, Buffer.from(pick(prng, NAMES)), Buffer.from(pick(prng, NAMES)))],
    ]),
  async check(input) {
    const name = onlyPart(input).toString('utf8');
    const registry = new Registry();
    const probe = prometheusProbe({ registry });
    probe.attach?.({
      name,
      directory: '/fuzz',
      checksum: 'none',
      gauges: () => undefined,
      probes: [probe],
    });
    const text = await registry.metrics();
    probe.detach?.();
    for (const line of text.split('\n')) {
      if (line !== '' && !LINE.test(line))
        throw new Mishandled(`not a line of metrics: ${JSON.stringify(line)}`);
    }
    const [, escaped] = /\{store="((?:[^"\\]|\\.)*)"/.exec(text) ?? [];
    const told = escaped?.replace(/\\(.)/gs, (_, letter) => (letter === 'n' ? '\n' : letter));
    if (told !== undefined && told !== name)
      throw new Mishandled(
        `the label says ${JSON.stringify(told)} of the store ${JSON.stringify(name)}`,
      );
  },
};
