// The memory of an LLM agent: every turn of a conversation in the order in which it came, and facts
// that a later turn may replace. A run that is killed goes on where it was.
//
// Stands on: the order of the log, which a crash cuts to a prefix and never mixes, and putDurable
// before a tool is called: what the agent did in the world is remembered after a power cut, so that
// it is not done twice.
//
//     node examples/agent-memory.mjs [DIRECTORY]
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encoded, openStore } from 'tidemark';

const directory = process.argv[2] ?? mkdtempSync(join(tmpdir(), 'agent-'));

class Memory {
  static async open(path) {
    const memory = new Memory();
    memory.store = await openStore(path);
    memory.pairs = encoded(memory.store);
    memory.turns = memory.pairs.get('turns') ?? 0;
    return memory;
  }

  /** Survives the death of this process; a lost turn would only be asked for again. */
  remember(role, text) {
    this.pairs.batch([
      { type: 'put', key: `turn ${this.turns}`, value: { role, text } },
      { type: 'put', key: 'turns', value: ++this.turns },
    ]);
  }

  learn(subject, fact) {
    this.pairs.put(`fact ${subject}`, fact);
  }

  /** Calls a tool once, whatever happens: the intent is durable before, the outcome after it. */
  async once(id, call) {
    const key = `call ${id}`;
    const known = this.pairs.get(key);
    if (known?.state === 'done') return known.outcome;
    if (known?.state === 'begun') return 'unknown: the power went in the middle; ask the world';
    await this.pairs.putDurable(key, { state: 'begun' });
    const outcome = await call();
    await this.pairs.putDurable(key, { state: 'done', outcome });
    return outcome;
  }

  /** The last turns, for the next prompt. */
  context(count) {
    const numbers = Array.from({ length: Math.min(count, this.turns) }, (_, at) => at);
    const keys = numbers.map((at) => `turn ${this.turns - numbers.length + at}`);
    return this.pairs.getMany(keys).map(({ role, text }) => `${role}: ${text}`);
  }

  close() {
    return this.store.close();
  }
}

const memory = await Memory.open(directory);
memory.remember('user', 'book a table for two');
memory.learn('user likes', 'quiet places');
console.log(await memory.once('booking 1', async () => 'booked at The Harbour'));
memory.remember('agent', 'The Harbour, at eight');
await memory.close();

const later = await Memory.open(directory);
console.log(await later.once('booking 1', async () => 'booked twice, which must not happen'));
console.log(later.context(2).join(' | '), '|', later.pairs.get('fact user likes'));
await later.close();
