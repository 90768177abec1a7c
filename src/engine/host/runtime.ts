/** What runs this program. Bun and Deno call themselves Node as well, and have its file system. */
export interface Runtime {
  readonly name: 'Node' | 'Bun' | 'Deno';
  readonly version: string;
  /**
   * Can it load addons that call libuv or V8? Elsewhere loading such an addon, or the first call of
   * it, ends the process, and no `catch` hears of it. Addons of Node-API alone load everywhere.
   */
  readonly loadsNodeAddons: boolean;
}

export function runtimeOf(versions: Readonly<Record<string, string | undefined>>): Runtime {
  const { bun, deno, node } = versions;
  if (bun !== undefined) return { name: 'Bun', version: bun, loadsNodeAddons: false };
  if (deno !== undefined) return { name: 'Deno', version: deno, loadsNodeAddons: false };
  return { name: 'Node', version: String(node), loadsNodeAddons: true };
}

export const runtime: Runtime = runtimeOf(process.versions);
