import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { LiveUpdate } from '../../../harness/soak/report/drawing/page-data.ts';
import type { LiveServer } from '../../../harness/soak/report/live-server.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { serveLive } from './built-report.ts';
import { madeUpRun, writeRun } from './made-up-run.ts';
import { madeUpSample } from './made-up-sample.ts';

const RUN = madeUpRun(8);

async function serve(metricsUrl?: string): Promise<LiveServer> {
  const options = metricsUrl === undefined ? {} : { metricsUrl };
  const live = await serveLive({ port: 0, run: RUN.summary, ...options });
  onTestFinished(() => live.close());
  return live;
}

/** What a browser that connects now hears until the end of the stream. */
async function* updatesOf(live: LiveServer): AsyncGenerator<LiveUpdate> {
  const response = await fetch(`${live.url}updates`);
  expect(response.headers.get('content-type')).toMatch(/^text\/event-stream/);
  let unread = '';
  for await (const bytes of response.body as ReadableStream<Uint8Array>) {
    unread += Buffer.from(bytes).toString();
    const messages = unread.split('\n\n');
    unread = messages.pop() ?? '';
    for (const message of messages) yield JSON.parse(message.replace(/^data: /, '')) as LiveUpdate;
  }
}

/** The moments that the charts of a page have, once it has heard all this. */
function momentsShown(updates: readonly LiveUpdate[]): number[] {
  let shown: number[] = [];
  for (const { data, moments } of updates) {
    if (data === undefined) shown.push(...moments.map(({ elapsedS }) => elapsedS));
    else shown = [...data.elapsedS];
  }
  return shown;
}

describe('the server of the live page', () => {
  test('tells every sample once to a browser, whenever it comes', async () => {
    const live = await serve();
    live.addSample(madeUpSample(1));
    const listeners = [];
    for (let second = 2; second <= 6; second++) {
      const updates = updatesOf(live);
      const heard = [(await updates.next()).value as LiveUpdate];
      listeners.push({ updates, heard });
      live.addSample(madeUpSample(second));
    }
    live.addSample(madeUpSample(7));
    // One who comes makes the others hear what was held back.
    const late = updatesOf(live);
    await late.next();
    await live.close();
    for (const { updates, heard } of listeners) {
      for await (const update of updates) heard.push(update);
      expect(momentsShown(heard)).toEqual([1, 2, 3, 4, 5, 6, 7]);
    }
  });

  test('tells the end to those who listen, and shows it to those who come after', async () => {
    const directory = temporaryDirectory();
    writeRun(directory, RUN);
    const live = await serve();
    const updates = updatesOf(live);
    await updates.next();
    live.finish(directory);
    const { title, isOver, fragments } = (await updates.next()).value as LiveUpdate;
    expect({ title, isOver }).toEqual({ title: 'Passed: tidemark, profile smoke', isOver: true });
    expect(fragments.latency).toContain('p99.9');
    expect(await (await fetch(live.url)).text()).toContain('<h1>Passed</h1>');
  });

  test('passes on the metrics of the store process, and says when there are none', async () => {
    const store = createServer((_request, response) =>
      response.setHeader('content-type', 'text/plain').end('up 1\n'),
    );
    await new Promise<void>((resolve) => store.listen(0, '127.0.0.1', resolve));
    const { port } = store.address() as AddressInfo;
    const live = await serve(`http://127.0.0.1:${port}/metrics`);
    expect(await (await fetch(`${live.url}metrics`)).text()).toBe('up 1\n');
    expect(await (await fetch(live.url)).text()).toContain('href="/metrics"');
    store.closeAllConnections();
    await new Promise((resolve) => store.close(resolve));
    expect((await fetch(`${live.url}metrics`)).status).toBe(502);
    const without = await serve();
    expect((await fetch(`${without.url}metrics`)).status).toBe(404);
    expect(await (await fetch(without.url)).text()).not.toContain('href="/metrics"');
  });

  test('listens on loopback, takes nothing, and does not share its port', async () => {
    const live = await serve();
    expect(live.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/$/);
    expect((await fetch(live.url, { method: 'POST' })).status).toBe(405);
    expect((await fetch(`${live.url}etc/passwd`)).status).toBe(404);
    await expect(
      serveLive({ port: Number(new URL(live.url).port), run: RUN.summary }),
    ).rejects.toThrow('is in use');
  });
});
