import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { temporaryDirectory } from '../support/temporary-directory.ts';

/**
 * Scripts for a mount namespace of their own: each fills a small file system to its last block with
 * a store on it, and opens that again. `$1` is a directory for the mount, `$2` an image.
 */
const MOUNTS = {
  tmpfs: 'mount -t tmpfs -o size=4m tmpfs "$1"',
  ext4: 'truncate -s 8m "$2" && mkfs.ext4 -q -m 0 "$2" && mount -o loop "$2" "$1"',
};

const PROGRAM = `
import { closeSync, fsyncSync, openSync, statfsSync, truncateSync, writeSync } from 'node:fs';
import { openStore } from '${process.cwd()}/dist/src/engine/index.js';
const [mounted, elsewhere, how] = process.argv.slice(1);
const directory = mounted + '/store';
const options = { segmentBytes: 64 * 1024 };
const first = await openStore(directory, options);
for (let index = 0; index < 2000; index++)
  first.put('key-' + (index % 50), Buffer.alloc(500, index));
await first.sync();
await first.sealsWritten();
if (how === 'closed') await first.close();
const filler = openSync(mounted + '/filler', 'w');
for (let sizeBytes = 1 << 20; sizeBytes > 0; ) {
  try { writeSync(filler, Buffer.alloc(sizeBytes)); } catch { sizeBytes >>= 1; }
}
try { fsyncSync(filler); } catch {}
closeSync(filler);
for (let index = 0; ; index++) {
  try {
    const small = openSync(mounted + '/small-' + index, 'w');
    writeSync(small, 'x');
    fsyncSync(small);
  } catch { break; }
}
if (how === 'killed') {
  // Its successor finds it as a killed process leaves it; the kernel lock goes with the process.
  console.log(JSON.stringify({ freeBlocks: statfsSync(mounted).bavail }));
  process.kill(process.pid, 'SIGKILL');
}
console.log(JSON.stringify({ freeBlocks: statfsSync(mounted).bavail }));
`;

const SUCCESSOR = `
import { truncateSync } from 'node:fs';
import { openStore } from '${process.cwd()}/dist/src/engine/index.js';
const [mounted, elsewhere] = process.argv.slice(1);
const store = await openStore(mounted + '/store', { segmentBytes: 64 * 1024 });
const told = { keys: store.size, value: store.get('key-1').length };
told.compaction = await store.compact().then(() => 'done', (error) => error.code);
await store.compactTo(elsewhere + '/compacted');
truncateSync(mounted + '/filler', 0);
told.compactionWithRoom = (await store.compact()).merges > 0;
await store.close();
console.log(JSON.stringify(told));
`;

function run(kind: keyof typeof MOUNTS, how: 'closed' | 'killed'): string[] {
  const [mounted, elsewhere] = [temporaryDirectory(), temporaryDirectory()];
  const node = (program: string) =>
    `"$3" --input-type=module -e '${program.replaceAll("'", `'\\''`)}' "$1" "$4" ${how}`;
  const script = `${MOUNTS[kind]} || exit 77
${node(PROGRAM)}
${node(SUCCESSOR)}
umount "$1"`;
  const image = `${elsewhere}/image`;
  const words = ['--mount', 'sh', '-c', script, 'sh', mounted, image, process.execPath, elsewhere];
  const { stdout, stderr, status } = spawnSync('unshare', words, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`exit status ${status}: ${stderr}`);
  return stdout.trim().split('\n');
}

function canMount(kind: keyof typeof MOUNTS): boolean {
  if (process.platform !== 'linux') return false;
  const directory = mkdtempSync(join(tmpdir(), 'tidemark-mount-'));
  const mounted = join(directory, 'mounted');
  mkdirSync(mounted);
  const words = ['--mount', 'sh', '-c', MOUNTS[kind], 'sh', mounted, join(directory, 'image')];
  const { status } = spawnSync('unshare', words);
  rmSync(directory, { recursive: true });
  return status === 0;
}

describe.each(['tmpfs', 'ext4'] as const)('on %s without a free block (needs root)', (kind) => {
  test.runIf(canMount(kind)).each(['closed', 'killed'] as const)(
    'a store that was %s opens, is read, and is compacted when there is room',
    (how) => {
      const [before, after] = run(kind, how).map((line) => JSON.parse(line));
      expect(before).toEqual({ freeBlocks: 0 });
      expect(after).toEqual({
        keys: 50,
        value: 500,
        compaction: 'NO_SPACE',
        compactionWithRoom: true,
      });
    },
  );
});
