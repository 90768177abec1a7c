import { connect } from 'node:net';
import { serveMetrics } from '../../src/telemetry/prometheus.ts';
import type { Prng } from '../prng.ts';
import { serveLive } from '../soak/report/live-server.ts';
import { describeHost, describeVersions } from '../soak/result/host.ts';
import { mutateBytes, pick } from './byte-mutation.ts';
import { type FuzzTarget, Mishandled } from './fuzz-target.ts';

const METHODS = ['GET', 'GET', 'HEAD', 'POST', 'OPTIONS', 'CONNECT', 'TRACE', 'PRI', 'get', 'G\tT'];
const TARGETS = [
  '/metrics',
  '/healthz',
  '/',
  '/updates?',
  '//',
  '///x',
  '*',
  'http://',
  'http://localhost/metrics',
  'http://evil.example/metrics',
  'http://[::1',
  'localhost:80',
  '/%',
  '/\\..\\',
  '/?#',
  '',
  `/${'a'.repeat(20_000)}`,
];
const VERSIONS = ['HTTP/1.1', 'HTTP/1.1', 'HTTP/1.0', 'HTTP/0.9', 'HTTP/2.0', 'HTTP/9.9', ''];
const LOOPBACK = ['localhost', '127.0.0.1', '[::1]', 'LOCALHOST:9464', '127.0.0.1:1'];
const FOREIGN = ['evil.example', 'localhost.evil.example', '127.0.0.1.evil', '0x7f.1', '[::2]', ''];
const HEADERS = [
  'Connection: close',
  'Connection: upgrade\r\nUpgrade: websocket',
  'Expect: 100-continue',
  'Expect: nothing',
  'Transfer-Encoding: chunked',
  'Transfer-Encoding: gzip, chunked',
  'Content-Length: 5',
  'Content-Length: -1',
  'Content-Length: 99999999999999999999',
  'Host: localhost',
  'Host: evil.example',
  'X: \u0000',
  ': empty',
  ' folded',
  `Cookie: ${'c'.repeat(9_000)}`,
];
const BODIES = ['', '', 'hello', '5\r\nhello\r\n0\r\n\r\n', 'x'.repeat(70_000)];
/**
 * The longest wait for a connection that the client closed; the servers answer within milliseconds.
 */
const LONGEST_MS = 20_000;

/** What is sent, and under whose name, as the unchanged request has it. */
function request(prng: Prng): { head: string; isForeign: boolean } {
  const host = pick(prng, prng.below(3) === 0 ? FOREIGN : LOOPBACK);
  const headers = Array.from({ length: prng.below(3) }, () => pick(prng, HEADERS));
  const line = `${pick(prng, METHODS)} ${pick(prng, TARGETS)} ${pick(prng, VERSIONS)}`;
  const head = [line, `Host: ${host}`, ...headers, '', pick(prng, BODIES)].join('\r\n');
  return { head, isForeign: FOREIGN.includes(host) };
}

/**
 * Both HTTP servers, by raw sockets: whatever comes in, each gives answers of HTTP or ends the
 * connection, tells a stranger's name nothing, and goes on answering others. An unhandled error
 * ends this process, which is a finding.
 */
export const httpTarget: FuzzTarget = {
  name: 'http',
  weight: 2,
  make(prng) {
    const parts = new Map<string, Uint8Array>();
    const { head, isForeign } = request(prng);
    const isMutated = prng.below(2) === 0;
    const sent = Buffer.from(head, 'latin1');
    const other = Buffer.from(request(prng).head, 'latin1');
    const pipelined = prng.below(8) === 0 ? Buffer.concat([sent, other]) : sent;
    parts.set('server', Buffer.from(pick(prng, ['metrics', 'live'])));
    parts.set('name', Buffer.from(isForeign && !isMutated && sent === pipelined ? 'foreign' : ''));
    parts.set('way', Buffer.from(pick(prng, ['end', 'end', 'pieces', 'destroy'])));
    parts.set('sent', isMutated ? mutateBytes(prng, pipelined, other) : pipelined);
    return parts;
  },
  async check(input) {
    const text = (name: string) => Buffer.from(input.get(name) ?? []).toString('latin1');
    const port = (await servers())[text('server') === 'live' ? 'live' : 'metrics'];
    const answer = await exchange(port, Buffer.from(input.get('sent') ?? []), text('way'));
    if (answer !== '' && !/^HTTP\/1\.1 [1-5]\d\d /.test(answer))
      throw new Mishandled(`no answer of HTTP: ${JSON.stringify(answer.slice(0, 100))}`);
    if (text('name') === 'foreign' && /^HTTP\/1\.1 [23]/m.test(answer))
      throw new Mishandled(`a stranger's name is answered: ${JSON.stringify(answer)}`);
    const after = await exchange(
      port,
      Buffer.from('GET /none HTTP/1.1\r\nHost: localhost\r\n\r\n'),
    );
    if (!after.startsWith('HTTP/1.1 404 '))
      throw new Mishandled(`the next one is not answered: ${JSON.stringify(after)}`);
  },
};

let started: Promise<{ metrics: number; live: number }> | undefined;

/** One of each per process. */
function servers(): Promise<{ metrics: number; live: number }> {
  started ??= (async () => {
    const registry = { metrics: async () => 'up 1\n', contentType: 'text/plain; version=0.0.4' };
    const metrics = await serveMetrics({ registry, port: 0 });
    const live = await serveLive({ port: 0, run: RUN });
    return { metrics: metrics.port, live: Number(new URL(live.url).port) };
  })();
  return started;
}

const RUN: Parameters<typeof serveLive>[0]['run'] = {
  command: 'soak',
  seed: 1,
  profile: { name: null, path: null },
  configuration: {} as never,
  versions: describeVersions(),
  host: describeHost('.'),
  startedAt: new Date(0).toISOString(),
};

/** All that comes back until the connection ends, which the client ends first. */
function exchange(port: number, bytes: Buffer, way = 'end'): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    const pieces: Buffer[] = [];
    const told = () => Buffer.concat(pieces).toString('latin1');
    socket.setTimeout(LONGEST_MS, () => {
      socket.destroy();
      reject(new Mishandled(`the connection stays open after ${JSON.stringify(told())}`));
    });
    socket.on('data', (piece) => {
      pieces.push(piece);
      // Only what has an end is read to it.
      if (told().includes('text/event-stream')) socket.destroy();
    });
    // A reset is an end as well: the server need not read all of it.
    socket.on('error', () => {});
    socket.on('close', () => resolve(told()));
    if (way === 'pieces') {
      const half = bytes.length >> 1;
      socket.write(bytes.subarray(0, half), () => socket.end(bytes.subarray(half)));
    } else if (way === 'destroy') socket.write(bytes, () => socket.destroy());
    else socket.end(bytes);
  });
}
