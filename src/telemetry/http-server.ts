import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { promisify } from 'node:util';
import { gzip, type ZlibOptions } from 'node:zlib';

const compress = promisify<string, ZlibOptions, Buffer>(gzip);

export interface HttpLimits {
  /** The time for the head of a request. A client that sends nothing at all has no more. */
  readonly headMs: number;
  /** The time for a whole request, its body included. */
  readonly requestMs: number;
  /** The time without a byte in either direction: a client may ask and not read. */
  readonly silenceMs: number;
  readonly connections: number;
}

const LIMITS: HttpLimits = {
  headMs: 5_000,
  requestMs: 10_000,
  silenceMs: 30_000,
  connections: 64,
};
/** Nothing is asked with a body; a short one is read, so that its sender hears the answer. */
const MOST_BODY_BYTES = 64 * 1024;

const LOOPBACK_ADDRESSES = new Set(['127.0.0.1', '::1', 'localhost']);
const LOOPBACK_NAME = /^(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?$/i;

export interface HttpServerOptions {
  /** Default: loopback. */
  readonly host?: string | undefined;
  /** 0 lets the system choose. */
  readonly port: number;
  /** Serve on an address that other machines reach, and under whatever name they call it by. */
  readonly allowRemote?: boolean | undefined;
  /** Answers a GET or HEAD of this path. What it throws becomes a 500. */
  readonly answer: (request: ServedRequest, response: ServerResponse) => void | Promise<void>;
  /** Default: 64 connections, 5 s for a head, 10 s for a request, 30 s of silence. */
  readonly limits?: HttpLimits;
}

export interface ServedRequest {
  /** The path without the query. */
  readonly path: string;
  readonly isHead: boolean;
  readonly takesGzip: boolean;
}

export interface HttpServer {
  /** The address, without a slash at its end. */
  readonly url: string;
  readonly port: number;
  /**
   * Stops listening, and ends every connection: the idle ones at once, the others when they have
   * nothing more to say, or after `lastWordsMs`. May be called again.
   */
  close(lastWordsMs?: number): Promise<void>;
}

/**
 * A small server for what a process tells of itself. Whatever a stranger sends gets an answer or a
 * closed connection, within a bound on time, memory and connections, and never an unhandled error.
 * On loopback it answers only to the names of loopback: a page of a stranger whose name was made to
 * point here would read what it says otherwise (DNS rebinding). Does not keep its process alive.
 *
 * Rejects when the port cannot be had; throws `RangeError` for an address that is not loopback
 * unless `allowRemote` says so.
 */
export async function serveHttp(options: HttpServerOptions): Promise<HttpServer> {
  const { host = '127.0.0.1', port, allowRemote = false, limits = LIMITS } = options;
  if (!LOOPBACK_ADDRESSES.has(host) && !allowRemote) {
    throw new RangeError(
      `${JSON.stringify(host)} is not a loopback address; give allowRemote: true to serve other machines`,
    );
  }
  const server = createServer({
    headersTimeout: limits.headMs,
    requestTimeout: limits.requestMs,
    keepAliveTimeout: limits.headMs,
    connectionsCheckingInterval: Math.min(1_000, limits.headMs),
    keepAlive: true,
  });
  server.timeout = limits.silenceMs;
  server.maxConnections = limits.connections;
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy());
  });
  server.on('request', (request, response) => {
    response.on('error', () => response.destroy());
    const refused = refusalOf(request, allowRemote);
    withoutBody(request, (isTooLong) => {
      if (isTooLong) refuse(response, { status: 413, why: 'nothing is asked with a body' });
      else if (typeof refused === 'object') refuse(response, refused);
      else void answerSafely(options, asked(request, refused), response);
    });
  });
  // Without a listener CONNECT ends without an answer.
  server.on('connect', (_request: IncomingMessage, socket: Socket) => {
    socket.end(
      'HTTP/1.1 405 Method Not Allowed\r\nallow: GET, HEAD\r\nconnection: close\r\ncontent-length: 0\r\n\r\n',
      () => socket.destroy(),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(
        error.code === 'EADDRINUSE'
          ? new Error(`port ${port} on ${host} is in use`, { cause: error })
          : error,
      );
    });
    server.listen(port, host, resolve);
  });
  // A connection that cannot be accepted, for want of a descriptor, is none.
  server.on('error', () => {});
  server.unref();
  const address = server.address() as AddressInfo;
  let closed: Promise<void> | undefined;
  const close = async (lastWordsMs: number) => {
    const ended = new Promise<void>((resolve) => server.close(() => resolve()));
    const destroyAll = () => {
      for (const socket of sockets) socket.destroy();
    };
    if (lastWordsMs === 0) destroyAll();
    else server.closeIdleConnections();
    const impatience = setTimeout(destroyAll, lastWordsMs);
    await ended;
    clearTimeout(impatience);
  };
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${address.port}`,
    port: address.port,
    close: (lastWordsMs = 0) => {
      closed ??= close(lastWordsMs);
      return closed;
    },
  };
}

interface Refused {
  readonly status: number;
  readonly why: string;
}

/** The path that is asked for, or why nothing is answered. */
function refusalOf(request: IncomingMessage, allowRemote: boolean): string | Refused {
  const { url = '', method, headers, rawHeaders } = request;
  const isAbsolute = !url.startsWith('/');
  if (isAbsolute && !(/^https?:/i.test(url) && URL.canParse(url)))
    return { status: 400, why: 'what is asked for is no path' };
  const hosts = rawHeaders.filter((name, index) => index % 2 === 0 && /^host$/i.test(name));
  if (hosts.length > 1) return { status: 400, why: 'more than one Host' };
  // The host of an absolute form stands in place of the header, and a browser sends neither alone.
  const names = [headers.host, isAbsolute ? new URL(url).host : undefined];
  if (!allowRemote && names.some((name) => name !== undefined && !LOOPBACK_NAME.test(name)))
    return { status: 421, why: 'only localhost, 127.0.0.1 and [::1] are answered' };
  if (method !== 'GET' && method !== 'HEAD') return { status: 405, why: 'only GET and HEAD' };
  const path = isAbsolute ? new URL(url).pathname : url;
  return path.split(/[?#]/, 1)[0] as string;
}

/** Calls back when the body has been read, or is longer than it may be; never for a lost client. */
function withoutBody(request: IncomingMessage, then: (isTooLong: boolean) => void): void {
  let bytes = 0;
  let isDone = false;
  const end = (isTooLong: boolean) => {
    if (isDone) return;
    isDone = true;
    then(isTooLong);
  };
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > MOST_BODY_BYTES) end(true);
  });
  request.on('end', () => end(false));
  request.on('error', () => {});
}

async function answerSafely(
  { answer }: HttpServerOptions,
  request: ServedRequest,
  response: ServerResponse,
): Promise<void> {
  try {
    await answer(request, response);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    if (response.headersSent) response.destroy();
    else refuse(response, { status: 500, why });
  }
}

function refuse(response: ServerResponse, { status, why }: Refused): void {
  if (status !== 500) response.shouldKeepAlive = false;
  if (status === 405) response.setHeader('allow', 'GET, HEAD');
  sendText(response, status, `${why}\n`);
}

function asked(request: IncomingMessage, path: string): ServedRequest {
  const encodings = String(request.headers['accept-encoding'] ?? '').split(',');
  const takesGzip = encodings.some((one) =>
    /^\s*gzip\s*(?:;(?!\s*q=0(?:\.0*)?\s*$).*)?$/i.test(one),
  );
  return { path, isHead: request.method === 'HEAD', takesGzip };
}

/** The same, compressed in the thread pool, for whoever takes gzip. */
export async function sendCompressed(
  response: ServerResponse,
  text: string,
  type: string,
): Promise<void> {
  const bytes = await compress(text, { level: 1 });
  response.setHeader('content-encoding', 'gzip');
  response.setHeader('vary', 'accept-encoding');
  sendText(response, 200, bytes, type);
}

/** Answers in whole. `type` is without a charset where that is UTF-8. */
export function sendText(
  response: ServerResponse,
  status: number,
  text: string | Uint8Array,
  type = 'text/plain',
): void {
  response.writeHead(status, {
    'content-type': type.includes('charset') ? type : `${type}; charset=utf-8`,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  });
  response.end(text);
}
