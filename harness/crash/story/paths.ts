import type { Recording } from '../recording/recording.ts';

/** The name that each file had last, up to event `at` and in it. */
export function pathsOf({ first, inodeOf, events }: Recording, at: number): Map<number, string> {
  const paths = new Map([...first.files.keys()].map((path) => [inodeOf(path), path]));
  for (const { event } of events.slice(0, at + 1)) {
    if (event.kind === 'create') paths.set(event.inode, event.path);
    else if (event.kind === 'rename' && event.inode !== undefined) paths.set(event.inode, event.to);
  }
  return paths;
}

/** The name that a story has for a path. */
export function nameOf(path: string): string {
  return path === '/' ? 'the directory' : `\`${path.slice(1)}\``;
}
