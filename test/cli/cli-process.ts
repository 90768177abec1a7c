import { spawn } from 'node:child_process';

const MAIN = 'dist/src/cli/main.js';

export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the compiled command to its end. */
export function tidemark(...words: readonly string[]): Promise<Ended> {
  return run(process.execPath, [MAIN, ...words]);
}

/** Runs a line of shell in which `$tidemark` is the command. */
export function shell(line: string): Promise<Ended> {
  return run('sh', ['-c', `tidemark="${process.execPath} ${MAIN}"; ${line}`]);
}

async function run(program: string, words: readonly string[]): Promise<Ended> {
  const child = spawn(program, words, { stdio: ['ignore', 'pipe', 'pipe'] });
  const [stdout, stderr, status] = await Promise.all([
    textOf(child.stdout),
    textOf(child.stderr),
    new Promise<number | null>((resolve, reject) =>
      child.once('error', reject).once('close', resolve),
    ),
  ]);
  return { status, stdout, stderr };
}

export async function textOf(stream: AsyncIterable<Buffer>): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of stream) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}

/** The objects of `--json`, each of which says which schema it follows. */
export function jsonLines(stdout: string): Record<string, unknown>[] {
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => {
      const { schema, ...rest } = JSON.parse(line);
      if (schema !== 1) throw new Error(`schema ${schema}: ${line}`);
      return rest;
    });
}
