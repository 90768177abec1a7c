import { Command, InvalidArgumentError } from 'commander';
import { ExitCode } from '../exit-code.ts';
import { Prng } from '../prng.ts';
import { COMMAND_OUTPUT, print, watchStandardStreams } from '../standard-streams.ts';
import { JUDGED_EQUAL } from './judged-equal.ts';
import { judgeMutant } from './mutant-judgement.ts';
import { type EngineFile, engineFiles, MutatedCopy } from './mutated-copy.ts';
import { applyPoint, type MutationPoint, mutationPoints } from './mutation-points.ts';

watchStandardStreams('mutate');

interface Drawn {
  readonly file: EngineFile;
  readonly point: MutationPoint;
}

interface Words {
  readonly seed: number;
  readonly count: number;
  readonly skip: number;
  readonly seconds?: number;
  readonly only?: string;
  readonly list?: true;
}

const words = new Command('npm run mutate --')
  .configureOutput(COMMAND_OUTPUT)
  .description(
    'Draws small mistakes over the engine: a condition negated, a call or an await left out, a bound moved. Each is shown to the checks of a campaign and to the tests of its file; those that nobody notices are listed.',
  )
  .option('--seed <n>', 'of the draw', wholeNumber, 1)
  .option('--count <n>', 'how many are drawn', wholeNumber, 200)
  .option(
    '--skip <n>',
    'leave out the first of the draw: they were looked at before',
    wholeNumber,
    0,
  )
  .option('--seconds <n>', 'nothing is begun after so many', wholeNumber)
  .option('--only <text>', 'those whose name contains it, instead of a draw')
  .option('--list', 'name those that are drawn, and do nothing')
  .addHelpText(
    'after',
    `
Exit status:
  0        at least 95 of 100 were noticed, those aside that are judged equal (judged-equal.ts)
  1        less
  2        a wrong option
  3        inconclusive: fewer than 20 were looked at`,
  )
  .parse()
  .opts<Words>();

const LEAST_SHARE = 0.95;
const LEAST_COUNT = 20;

process.exitCode = words.list ? list() : await hunt();

function drawn(): Drawn[] {
  const all = engineFiles().flatMap((file) =>
    mutationPoints(file.name, file.text).map((point) => ({ file, point })),
  );
  const { only, seed, skip, count } = words;
  if (only !== undefined) return all.filter(({ point }) => point.name.includes(only));
  const prng = Prng.seeded(seed);
  for (let at = all.length - 1; at > 0; at--) {
    const other = prng.below(at + 1);
    [all[at], all[other]] = [all[other] as Drawn, all[at] as Drawn];
  }
  return all.slice(skip, skip + count);
}

function list(): ExitCode {
  for (const { point } of drawn()) print(point.name);
  return ExitCode.pass;
}

async function hunt(): Promise<ExitCode> {
  const controller = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => controller.abort());
  const mutants = drawn();
  const survivors: string[] = [];
  let caughtCount = 0;
  let equal = 0;
  const copy = new MutatedCopy();
  try {
    const [first] = mutants;
    if (first === undefined) return nothingToLookAt();
    copy.become(first.file, first.file.text);
    const wrong = await judgeMutant(copy, first.file, words.seed, controller.signal);
    if (wrong !== undefined) {
      print(`the engine as it is does not pass: ${wrong}`);
      return ExitCode.broken;
    }
    const startMs = performance.now();
    for (const [index, { file, point }] of mutants.entries()) {
      const isUp = performance.now() - startMs > (words.seconds ?? Number.POSITIVE_INFINITY) * 1000;
      if (controller.signal.aborted || isUp) break;
      const place = `${words.skip + index + 1} of ${words.skip + mutants.length}`;
      if (JUDGED_EQUAL[point.name] !== undefined) {
        equal++;
        print(`${place}  equal      ${point.name}`);
        continue;
      }
      copy.become(file, applyPoint(file.text, point));
      const beganMs = performance.now();
      const caught = await judgeMutant(copy, file, words.seed, controller.signal);
      if (controller.signal.aborted) break;
      const seconds = ((performance.now() - beganMs) / 1000).toFixed(1);
      if (caught === undefined) survivors.push(point.name);
      else caughtCount++;
      print(`${place}  ${caught ?? 'SURVIVED'}  ${point.name}  (${seconds} s)`);
    }
  } finally {
    copy.remove();
  }
  const looked = caughtCount + survivors.length;
  const share = caughtCount / Math.max(looked, 1);
  print(
    `${looked} looked at, ${caughtCount} noticed (${(share * 100).toFixed(1)} %), ${equal} judged equal before`,
  );
  for (const name of survivors) print(`  survived: ${name}`);
  if (looked < LEAST_COUNT && words.only === undefined) return ExitCode.inconclusive;
  return share >= LEAST_SHARE ? ExitCode.pass : ExitCode.broken;
}

function nothingToLookAt(): ExitCode {
  print('there is no such place');
  return ExitCode.usage;
}

function wholeNumber(text: string): number {
  if (!/^\d{1,10}$/.test(text)) throw new InvalidArgumentError('Give a whole number.');
  return Number(text);
}
