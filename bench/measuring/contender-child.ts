import type { FromContender, ToContender } from './contender.ts';
import type { Group, Work } from './group.ts';

/**
 * A measured process: sets up what it is told to, and runs one work at a time for the process that
 * forked it.
 */
let group: Group & { readonly details?: unknown };

process.on('message', async (question: ToContender) => {
  try {
    answer(await handle(question));
  } catch (error) {
    answer({
      type: 'failed',
      message: error instanceof Error ? (error.stack ?? error.message) : String(error),
    });
  }
});
// Nobody is left to ask.
process.on('disconnect', () => process.exit());

async function handle(question: ToContender): Promise<FromContender> {
  switch (question.type) {
    case 'set-up': {
      const { setUp } = await import(question.moduleUrl);
      group = await setUp(question.input);
      return { type: 'ready', rows: group.works.map(toRowHead), details: group.details };
    }
    case 'run':
      return {
        type: 'measured',
        value: await measure(group.works[question.index] as Work, question.times),
      };
    case 'finish':
      await group.finish();
      return { type: 'finished' };
  }
}

async function measure(work: Work, times: number): Promise<number> {
  // Garbage of the work before is not this one's to collect.
  globalThis.gc?.();
  let least = Number.POSITIVE_INFINITY;
  for (let time = 0; time < times; time++) least = Math.min(least, await measureOnce(work));
  return least;
}

async function measureOnce(work: Work): Promise<number> {
  const startNs = process.hrtime.bigint();
  const running = work.run();
  const value = running instanceof Promise ? await running : running;
  const elapsedNs = Number(process.hrtime.bigint() - startNs);
  return typeof value === 'number' ? value : elapsedNs / work.calls;
}

function toRowHead({ run: _, calls: __, ...head }: Work) {
  return head;
}

function answer(message: FromContender): void {
  // Whoever asked may have been killed meanwhile, and an error that nobody takes would be printed.
  process.send?.(message, undefined, {}, () => {});
}
