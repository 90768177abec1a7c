import { connect, type Socket } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type HttpServer, sendText, serveHttp } from '../../src/telemetry/http-server.ts';
import { serveMetrics } from '../../src/telemetry/prometheus.ts';

const registry = { metrics: async () => 'up 1\n', contentType: 'text/plain' };

async function metricsServer(options: { allowRemote?: boolean } = {}) {
  const server = await serveMetrics({ registry, port: 0, ...options });
  onTestFinished(() => server.close());
  return server;
}

/** All that comes back to these bytes, until the server ends the connection. */
function told(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(text));
    let heard = '';
    socket.on('data', (bytes) => {
      heard += bytes.toString('latin1');
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(heard));
  });
}

async function statusOf(port: number, request: string): Promise<number> {
  const answer = await told(port, request);
  return Number(/^HTTP\/1\.1 (\d{3}) /.exec(answer)?.[1]);
}

const HEAD = 'Host: localhost\r\nConnection: close\r\n';

describe('whatever is asked of the metrics server gets an answer', () => {
  test.each([
    ['GET // HTTP/1.1', HEAD, 404],
    ['GET /// HTTP/1.1', HEAD, 404],
    ['GET http:// HTTP/1.1', HEAD, 400],
    ['GET http://[::1 HTTP/1.1', HEAD, 400],
    ['GET http://localhost/metrics HTTP/1.1', HEAD, 200],
    ['GET http://evil.example/metrics HTTP/1.1', HEAD, 421],
    ['GET /metrics?a=//b HTTP/1.1', HEAD, 200],
    ['HEAD /metrics HTTP/1.1', HEAD, 200],
    ['OPTIONS * HTTP/1.1', HEAD, 400],
    ['CONNECT localhost:80 HTTP/1.1', HEAD, 405],
    ['POST /metrics HTTP/1.1', `${HEAD}Content-Length: 2\r\n`, 405, 'ab'],
    ['POST /metrics HTTP/1.1', `${HEAD}Content-Length: 200000\r\n`, 413, 'a'.repeat(70_000)],
    ['GET /metrics HTTP/1.1', `${HEAD}Upgrade: websocket\r\n`, 200],
    ['GET /metrics HTTP/1.1', `${HEAD}Expect: nothing\r\n`, 417],
    ['GET /metrics HTTP/1.1', 'Connection: close\r\n', 400],
    ['GET /metrics HTTP/1.1', `${HEAD}Host: localhost\r\n`, 400],
    ['GET /metrics HTTP/1.0', '', 200],
    ['NONSENSE', '', 400],
    [`GET /${'a'.repeat(20_000)} HTTP/1.1`, HEAD, 431],
  ] as const)('%s', async (line, headers, status, body = '') => {
    const { port } = await metricsServer();
    expect(await statusOf(port, `${line}\r\n${headers}\r\n${body}`)).toBe(status);
    expect(await statusOf(port, `GET /healthz HTTP/1.1\r\n${HEAD}\r\n`)).toBe(200);
  });

  test('a collection that fails, or a content type that is none, is a 500', async () => {
    for (const broken of [
      { ...registry, metrics: () => Promise.reject(new Error('gone')) },
      { ...registry, contentType: 'a\nb' },
    ]) {
      const server = await serveMetrics({ registry: broken, port: 0 });
      onTestFinished(() => server.close());
      expect(await statusOf(server.port, `GET /metrics HTTP/1.1\r\n${HEAD}\r\n`)).toBe(500);
    }
  });
});

test.each([
  ['localhost', 200],
  ['LOCALHOST:1', 200],
  ['127.0.0.1:9464', 200],
  ['[::1]:80', 200],
  ['evil.example', 421],
  ['localhost.evil.example', 421],
  ['127.0.0.1.evil.example', 421],
  ['2130706433', 421],
  ['', 421],
])(
  'on loopback the name %j gets %i, and with allowRemote any name is answered',
  async (host, status) => {
    const request = `GET /metrics HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;
    expect(await statusOf((await metricsServer()).port, request)).toBe(status);
    const remote = await metricsServer({ allowRemote: true });
    expect(await statusOf(remote.port, request)).toBe(200);
  },
);

test('many who ask at once are one collection', async () => {
  let collections = 0;
  let release = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const metrics = async () => {
    collections++;
    await held;
    return 'up 1\n';
  };
  const server = await serveMetrics({ registry: { ...registry, metrics }, port: 0 });
  onTestFinished(() => server.close());
  const pipelined = 'GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(99);
  const answers = told(server.port, `${pipelined}GET /metrics HTTP/1.1\r\n${HEAD}\r\n`);
  while (collections === 0) await new Promise(setImmediate);
  release();
  expect((await answers).match(/up 1/g)).toHaveLength(100);
  expect(collections).toBe(1);
});

describe('connections that only take up room', () => {
  const LIMITS = { headMs: 50, requestMs: 100, silenceMs: 150, connections: 4 };

  async function small(): Promise<HttpServer> {
    const server = await serveHttp({
      port: 0,
      limits: LIMITS,
      answer: ({ path }, response) => {
        // What is never answered is for somebody who waits in silence.
        if (path !== '/never') sendText(response, 200, 'ok\n');
      },
    });
    onTestFinished(() => server.close());
    return server;
  }

  test.each([
    ['says nothing', ''],
    ['stops in the middle of its head', 'GET / HTTP/1.1\r\nHost: localh'],
    ['stops in the middle of its body', `POST / HTTP/1.1\r\n${HEAD}Content-Length: 9\r\n\r\nab`],
    ['waits for what never comes', 'GET /never HTTP/1.1\r\nHost: localhost\r\n\r\n'],
    ['stays when it has its answer', 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'],
  ])('one that %s is ended by the server', async (_what, text) => {
    const { port } = await small();
    await told(port, text);
  });

  test('there are no more of them than the limit', async () => {
    const limits = { headMs: 60_000, requestMs: 60_000, silenceMs: 60_000, connections: 4 };
    const server = await serveHttp({ port: 0, limits, answer: () => {} });
    onTestFinished(() => server.close());
    const ends = Array.from({ length: 20 }, () => told(server.port, '').catch(() => ''));
    let ended = 0;
    for (const end of ends) void end.then(() => ended++);
    while (ended < 16) await new Promise(setImmediate);
    expect(ended).toBe(16);
    await server.close();
    await Promise.all(ends);
  });
});

test('close ends at once with connections of every kind open, and may be called twice', async () => {
  const server = await metricsServer();
  const open: Socket[] = [];
  for (const text of [
    '',
    'GET /metr',
    'GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n',
    'CONNECT a:1 HTTP/1.1\r\nHost: localhost\r\n\r\n',
    `POST / HTTP/1.1\r\n${HEAD}Content-Length: 9\r\n\r\n`,
  ]) {
    const socket = connect({ port: server.port, host: '127.0.0.1', allowHalfOpen: true });
    socket.on('error', () => {});
    onTestFinished(() => void socket.destroy());
    await new Promise<void>((resolve) => socket.write(text, () => resolve()));
    open.push(socket);
  }
  await fetch(`${server.url}/healthz`);
  await Promise.all([server.close(), server.close()]);
  await server.close();
  expect(open).toHaveLength(5);
});
