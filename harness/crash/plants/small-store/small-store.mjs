import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';

/**
 * A small store that keeps what it promises: one log of JSON lines, each with its number and a
 * checksum, and a map in memory. Plants are put into copies of it, so it imports only Node.
 */
export const contract = {
  put: 'kill',
  sync: 'power',
  history: 'prefix',
  ordered: true,
  concurrent: true,
};

const { O_RDWR, O_CREAT, O_TRUNC } = constants;

export default async function open(directory) {
  return new SmallStore(directory);
}

class SmallStore {
  constructor(directory) {
    this.directory = directory;
    this.path = join(directory, 'store.log');
    this.pairs = new Map();
    this.broken = undefined;
    this.fd = openSync(this.path, O_RDWR | O_CREAT);
    try {
      this.recover();
    } catch (error) {
      closeSync(this.fd);
      throw error;
    }
  }

  /** Takes lines up to the first that is not whole, and cuts off the rest durably. */
  recover() {
    // What a compaction left that did not come to its end.
    rmSync(`${this.path}.new`, { force: true });
    const bytes = readAll(this.fd);
    this.size = 0;
    this.next = 0;
    for (;;) {
      const end = bytes.indexOf(0x0a, this.size);
      const record = end < 0 ? undefined : decode(bytes.subarray(this.size, end), this.next);
      if (record === undefined) break;
      this.apply(record);
      this.next++;
      this.size = end + 1;
    }
    if (this.size < bytes.length) ftruncateSync(this.fd, this.size);
    // Otherwise what was cut off could come back behind what is written over it.
    fsyncSync(this.fd);
    syncDirectory(this.directory);
  }

  apply({ key, value }) {
    if (value === undefined) this.pairs.delete(key);
    else this.pairs.set(key, value);
  }

  async get(key) {
    return this.pairs.get(name(key));
  }

  async put(key, value) {
    this.append({ key: name(key), value: Buffer.from(value) });
  }

  async delete(key) {
    this.append({ key: name(key), value: undefined });
  }

  append(record) {
    this.checkWhole();
    const line = encode(record, this.next);
    this.orBreak(() => writeFully(this.fd, line, this.size));
    this.size += line.length;
    this.next++;
    this.apply(record);
  }

  async sync() {
    this.checkWhole();
    this.orBreak(() => fsyncSync(this.fd));
  }

  *entries() {
    const pairs = [...this.pairs].sort(([a], [b]) => (a < b ? -1 : 1));
    for (const [key, value] of pairs) yield [Buffer.from(key, 'latin1'), value];
  }

  /** Beside the log, and renamed over it when it is durable. */
  async compact() {
    this.checkWhole();
    const path = `${this.path}.new`;
    const fd = openSync(path, O_RDWR | O_CREAT | O_TRUNC);
    let size = 0;
    let next = 0;
    try {
      for (const [key, value] of this.pairs) {
        const line = encode({ key, value }, next++);
        writeFully(fd, line, size);
        size += line.length;
      }
      fsyncSync(fd);
      renameSync(path, this.path);
    } catch (error) {
      closeSync(fd);
      rmSync(path, { force: true });
      throw error;
    }
    closeSync(this.fd);
    this.fd = fd;
    this.size = size;
    this.next = next;
    this.orBreak(() => syncDirectory(this.directory));
  }

  async close() {
    closeSync(this.fd);
    this.broken = new Error('the store is closed');
  }

  /** After a failure nobody knows what is on the disk, so nothing more is promised. */
  orBreak(work) {
    try {
      work();
    } catch (error) {
      this.broken = new Error('an earlier write or sync failed; open the store again', {
        cause: error,
      });
      throw error;
    }
  }

  checkWhole() {
    if (this.broken !== undefined) throw this.broken;
  }
}

function name(key) {
  return Buffer.from(key).toString('latin1');
}

function encode({ key, value }, number) {
  const body = JSON.stringify({ number, key, value: value?.toString('base64') });
  return Buffer.from(`${crc32(body).toString(16).padStart(8, '0')} ${body}\n`);
}

/** Undefined for a line that is not whole, or not the one with this number. */
function decode(line, number) {
  const body = line.subarray(9);
  if (line.length < 9 || crc32(body) !== Number.parseInt(line.subarray(0, 8).toString(), 16))
    return undefined;
  const record = JSON.parse(body.toString());
  if (record.number !== number) return undefined;
  const { key, value } = record;
  return { key, value: value === undefined ? undefined : Buffer.from(value, 'base64') };
}

function writeFully(fd, bytes, position) {
  for (let done = 0; done < bytes.length; )
    done += writeSync(fd, bytes, done, bytes.length - done, position + done);
}

function readAll(fd) {
  const bytes = Buffer.alloc(fstatSync(fd).size);
  for (let done = 0; done < bytes.length; ) {
    try {
      const count = readSync(fd, bytes, done, bytes.length - done, done);
      if (count === 0) return bytes.subarray(0, done);
      done += count;
    } catch (error) {
      // A signal came first; nothing was read, and nothing is wrong.
      if (error.code !== 'EINTR') throw error;
    }
  }
  return bytes;
}

function syncDirectory(directory) {
  const fd = openSync(directory, constants.O_RDONLY);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
