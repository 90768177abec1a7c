// Sessions of an HTTP server that outlive it: who was logged in before a restart, a crash or a
// power cut still is.
//
// Stands on: putDurable. The answer to a login is sent once its session survives a power cut,
// and logins that wait at the same time share one sync.
//
//     node examples/http-sessions.mjs [DIRECTORY]
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encoded, openStore } from 'tidemark';

const directory = process.argv[2] ?? mkdtempSync(join(tmpdir(), 'sessions-'));
const SESSION_MS = 60 * 60 * 1000;

async function serve() {
  const store = await openStore(directory);
  const sessions = encoded(store);
  const server = createServer(async (request, response) => {
    const url = new URL(request.url, 'http://localhost');
    if (url.pathname === '/login') {
      const id = randomBytes(16).toString('hex');
      const user = url.searchParams.get('user');
      await sessions.putDurable(id, { user, untilMs: Date.now() + SESSION_MS });
      response.setHeader('set-cookie', `session=${id}; HttpOnly; SameSite=Strict`).end('welcome');
      return;
    }
    const id = /session=(\w+)/.exec(request.headers.cookie ?? '')?.[1] ?? '';
    const session = sessions.get(id);
    if (session === undefined || session.untilMs < Date.now()) {
      // That a dead session is gone need not survive anything: it would be found dead again.
      if (session !== undefined) sessions.delete(id);
      response.writeHead(401).end('log in first');
    } else response.end(`hello, ${session.user}`);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${server.address().port}`;
  const close = async () => {
    server.closeAllConnections();
    server.close();
    await store.close();
  };
  return { url, close };
}

const first = await serve();
const login = await fetch(`${first.url}/login?user=ada`);
const cookie = login.headers.get('set-cookie').split(';')[0];
await login.text();
await first.close();

const second = await serve();
console.log(await (await fetch(second.url, { headers: { cookie } })).text());
console.log(await (await fetch(second.url, { headers: { cookie: 'session=forged' } })).text());
await second.close();
