import { createServer } from 'node:net';

/**
 * Lies below the ports that the kernel gives to those who ask for any: between the look here and
 * the listening of the program under test nobody takes it by chance. Test files that run at once
 * begin at different ones.
 */
const LOWEST = 20_000;
const PORTS = 12_000;
const PORTS_PER_PROCESS = 16;
let next = process.pid * PORTS_PER_PROCESS;

/** A port of loopback on which nobody listens. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = LOWEST + (next++ % PORTS);
    if (await isFree(port)) return port;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
