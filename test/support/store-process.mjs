import { NodeFileSystem, openReader, openStore } from '../../dist/src/engine/index.js';

/**
 * A process that opens and uses a store as its parent asks, one call at a time. The parent may stop
 * it or kill it at any moment. Messages in: `{ call, args }`. Messages out: `{ value }` or `{ error
 * }`.
 */
let store;
/**
 * Calls of the file system so far, in this opening, that another process could see the effect of.
 */
let changes = 0;

/** Dying before any other call leaves what dying before the next of these leaves. */
const CHANGING = new Set([
  'makeDirectory',
  'rename',
  'remove',
  'removeDirectory',
  'write',
  'writeVector',
  'truncate',
  'tryLock',
  'holdLease',
  'breakLease',
]);

const calls = {
  async open(directory, options = {}) {
    changes = 0;
    store = await openStore(directory, { fileSystem: fileSystemFor(options) });
    return changes;
  },
  async openReader(directory) {
    const reader = await openReader(directory);
    const size = reader.size;
    await reader.close();
    return size;
  },
  put: (key, value) => void store.put(key, value),
  get: (key) => Buffer.from(store.get(key) ?? []).toString(),
  sync: () => store.sync(),
  close: () => store.close(),
  /** Gives up root for good: from here on mode bits count. */
  becomeUser(uid) {
    process.setgroups([]);
    process.setgid(uid);
    process.setuid(uid);
  },
};

/**
 * `kernelLocks: false`: a file system that has none. `dieAtChange: n`: killed when the n-th change
 * is about to be made. `stopBefore: method`: stops itself there, the first time, until SIGCONT.
 */
function fileSystemFor({ kernelLocks = true, dieAtChange = 0, stopBefore }) {
  let stopped = false;
  return new Proxy(new NodeFileSystem(), {
    get(target, property) {
      return (...args) => {
        if (CHANGING.has(property) || args[1] === 'create') changes++;
        if (changes === dieAtChange && dieAtChange > 0) process.kill(process.pid, 'SIGKILL');
        if (property === stopBefore && !stopped) {
          stopped = true;
          process.kill(process.pid, 'SIGSTOP');
        }
        if (property === 'tryLock' && !kernelLocks) return 'unsupported';
        return target[property](...args);
      };
    },
  });
}

process.on('message', async ({ call, args }) => {
  let reply;
  try {
    reply = { value: await calls[call](...args) };
  } catch (error) {
    const { name, code, message, holderPid } = error;
    reply = { error: { name, code, message, holderPid } };
  }
  process.send(reply);
});
process.send({ value: 'ready' });
