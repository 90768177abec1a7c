// A job queue that survives power cuts: what was accepted is done at least once, in order, and what
// was reported done is not done again.
//
// Stands on: putDurable for what is accepted, and the longest valid prefix for the rest. A job and
// the position behind it are in one batch, so that a crash leaves no position without its job.
//
//     node examples/job-queue.mjs [DIRECTORY]
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encoded, openStore } from 'tidemark';

const directory = process.argv[2] ?? mkdtempSync(join(tmpdir(), 'jobs-'));

class JobQueue {
  static async open(path) {
    const queue = new JobQueue();
    queue.store = await openStore(path);
    queue.entries = encoded(queue.store);
    queue.nextIn = queue.entries.get('next in') ?? 0;
    queue.nextOut = queue.entries.get('next out') ?? 0;
    return queue;
  }

  /** Resolves once the job survives a power cut. */
  async add(job) {
    const number = this.nextIn++;
    this.entries.batch([
      { type: 'put', key: `job ${number}`, value: job },
      { type: 'put', key: 'next in', value: this.nextIn },
    ]);
    await this.store.sync();
  }

  /** Does the next job. One that a crash interrupts is done again. */
  async work(handle) {
    if (this.nextOut === this.nextIn) return false;
    const number = this.nextOut;
    await handle(this.entries.get(`job ${number}`));
    this.nextOut = number + 1;
    // The position first: a crash between the two must leave no position whose job has gone.
    this.entries.batch([
      { type: 'put', key: 'next out', value: this.nextOut },
      { type: 'del', key: `job ${number}` },
    ]);
    await this.store.sync();
    return true;
  }

  close() {
    return this.store.close();
  }
}

const queue = await JobQueue.open(directory);
await Promise.all(['mail ada', 'mail ben', 'mail cleo'].map((job) => queue.add(job)));
await queue.work((job) => console.log(`done: ${job}`));
await queue
  .work(() => Promise.reject(new Error('the mail server is down')))
  .catch(({ message }) => {
    console.log(`left: ${message}`);
  });
await queue.close();

const later = await JobQueue.open(directory);
while (await later.work((job) => console.log(`done: ${job}`)));
console.log(`${later.store.size} keys left`);
await later.close();
