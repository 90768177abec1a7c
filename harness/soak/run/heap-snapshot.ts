/** A heap snapshot as V8 writes it, as far as a comparison needs it. */
interface SnapshotFile {
  readonly snapshot: {
    readonly meta: {
      readonly node_fields: readonly string[];
      readonly node_types: readonly [readonly string[], ...unknown[]];
      readonly edge_fields: readonly string[];
      readonly edge_types: readonly [readonly string[], ...unknown[]];
      readonly location_fields?: readonly string[];
    };
  };
  readonly nodes: readonly number[];
  readonly edges: readonly number[];
  readonly locations?: readonly number[];
  readonly strings: readonly string[];
}

/** What one constructor holds. */
interface Held {
  readonly bytes: number;
  readonly objects: number;
}

export interface HeldPath {
  /** From the outermost holder that has a name to an object that is new. */
  readonly steps: readonly string[];
  /** Where the code is that can see the holder, when V8 knows it: `file:line`. */
  readonly place: string | undefined;
}

/** Kinds of node that a program makes; the others are V8's own. */
const PROGRAM_KINDS = new Set([
  'object',
  'array',
  'string',
  'concatenated string',
  'sliced string',
  'number',
  'bigint',
  'closure',
  'regexp',
  'symbol',
  'native',
]);
const LONGEST_PATH = 12;

/** One snapshot, with the ways from its root. */
export class HeapSnapshot {
  private readonly file: SnapshotFile;
  private readonly width: number;
  private readonly edgeWidth: number;
  private readonly kinds: readonly string[];
  private readonly edgeKinds: readonly string[];
  private readonly firstEdge: Uint32Array;
  readonly count: number;

  constructor(text: string) {
    this.file = JSON.parse(text) as SnapshotFile;
    const { meta } = this.file.snapshot;
    this.width = meta.node_fields.length;
    this.edgeWidth = meta.edge_fields.length;
    this.kinds = meta.node_types[0];
    this.edgeKinds = meta.edge_types[0];
    this.count = this.file.nodes.length / this.width;
    this.firstEdge = new Uint32Array(this.count + 1);
    for (let node = 0; node < this.count; node++)
      this.firstEdge[node + 1] = (this.firstEdge[node] as number) + this.field(node, 4);
  }

  /** The ids stay with the objects from one snapshot of a process to the next. */
  ids(): Set<number> {
    const ids = new Set<number>();
    for (let node = 0; node < this.count; node++) ids.add(this.field(node, 2));
    return ids;
  }

  /** Bytes and objects of each constructor, of what the program made. */
  byConstructor(): Map<string, Held> {
    const held = new Map<string, Held>();
    for (let node = 0; node < this.count; node++) {
      if (!PROGRAM_KINDS.has(this.kindOf(node))) continue;
      const name = this.constructorOf(node);
      // V8's own, and the bytes behind a buffer: the buffer itself is counted.
      if (name.startsWith('system / ')) continue;
      const { bytes, objects } = held.get(name) ?? { bytes: 0, objects: 0 };
      held.set(name, { bytes: bytes + this.field(node, 3), objects: objects + 1 });
    }
    return held;
  }

  /** The shortest way to the largest new object of a kind, behind what holds most of them. */
  pathTo(kind: string, before: ReadonlySet<number>): HeldPath | undefined {
    const parents = this.walk();
    const byHolder = new Map<string, { bytes: number; node: number; largest: number }>();
    for (let node = 0; node < this.count; node++) {
      if (before.has(this.field(node, 2)) || this.constructorOf(node) !== kind) continue;
      if (!PROGRAM_KINDS.has(this.kindOf(node)) || parents.node[node] === UNREACHED) continue;
      const holder = this.namedHolderOf(node, parents);
      const size = this.field(node, 3);
      const seen = byHolder.get(holder) ?? { bytes: 0, node, largest: -1 };
      const bytes = seen.bytes + size;
      byHolder.set(
        holder,
        size > seen.largest ? { bytes, node, largest: size } : { ...seen, bytes },
      );
    }
    const [most] = [...byHolder.values()].toSorted((a, b) => b.bytes - a.bytes);
    return most === undefined ? undefined : this.describePath(most.node, parents);
  }

  private namedHolderOf(node: number, parents: Parents): string {
    for (let at = node; at > 0; at = parents.node[at] as number) {
      const edge = parents.edge[at] as number;
      if (this.edgeKindOf(edge) === 'context') return `${this.edgeName(edge)} ${parents.node[at]}`;
    }
    return 'none';
  }

  private describePath(node: number, parents: Parents): HeldPath {
    const steps: string[] = [];
    let place: string | undefined;
    for (let at = node; at > 0; at = parents.node[at] as number) {
      const edge = parents.edge[at] as number;
      const kind = this.edgeKindOf(edge);
      const isShown = kind === 'context' || kind === 'property' || kind === 'element';
      if (isShown && steps.length < LONGEST_PATH) {
        const name = kind === 'element' ? `[${this.edgeName(edge)}]` : this.edgeName(edge);
        steps.push(`${name}: ${this.constructorOf(at)}`);
      }
      if (kind === 'context') {
        place ??= this.placeOfContext(parents.node[at] as number);
        // A variable is what somebody can look for; what holds its function says no more.
        if (place !== undefined) break;
      }
    }
    return { steps: steps.reverse(), place };
  }

  /** The place of a function that sees the variables of this context. */
  private placeOfContext(context: number): string | undefined {
    const { locations = [] } = this.file;
    const width = this.file.snapshot.meta.location_fields?.length ?? 4;
    for (let at = 0; at < locations.length; at += width) {
      const node = (locations[at] as number) / this.width;
      if (this.child(node, 'context') !== context) continue;
      const shared = this.child(node, 'shared');
      const script = shared === undefined ? undefined : this.scriptOf(shared);
      if (script !== undefined) return `${script}:${(locations[at + 2] as number) + 1}`;
    }
    return undefined;
  }

  private scriptOf(shared: number): string | undefined {
    const script = this.child(shared, 'script') ?? this.child(shared, 'script_or_debug_info');
    const name = script === undefined ? undefined : this.child(script, 'name');
    const text = name === undefined ? undefined : this.nameOf(name);
    return text === undefined || text === '' || text.startsWith('node:') ? undefined : text;
  }

  private child(node: number, edgeName: string): number | undefined {
    for (
      let edge = this.firstEdge[node] as number;
      edge < (this.firstEdge[node + 1] as number);
      edge++
    )
      if (this.edgeKindOf(edge) !== 'element' && this.edgeName(edge) === edgeName)
        return this.target(edge);
    return undefined;
  }

  /** The first way to each node that is found, over what keeps it alive. */
  private walk(): Parents {
    const node = new Int32Array(this.count).fill(UNREACHED);
    const edges = new Uint32Array(this.count);
    const queue = new Uint32Array(this.count);
    let end = 1;
    node[0] = 0;
    for (let begin = 0; begin < end; begin++) {
      const at = queue[begin] as number;
      for (
        let edge = this.firstEdge[at] as number;
        edge < (this.firstEdge[at + 1] as number);
        edge++
      ) {
        const target = this.target(edge);
        if (node[target] !== UNREACHED || this.edgeKindOf(edge) === 'weak') continue;
        node[target] = at;
        edges[target] = edge;
        queue[end++] = target;
      }
    }
    return { node, edge: edges };
  }

  private constructorOf(node: number): string {
    const kind = this.kindOf(node);
    if (kind === 'array') return 'elements of arrays and maps';
    return kind === 'object' || kind === 'native' ? this.nameOf(node) : kind;
  }

  private field(node: number, field: number): number {
    return this.file.nodes[node * this.width + field] as number;
  }

  private kindOf(node: number): string {
    return this.kinds[this.field(node, 0)] as string;
  }

  private nameOf(node: number): string {
    return this.file.strings[this.field(node, 1)] as string;
  }

  private edgeKindOf(edge: number): string {
    return this.edgeKinds[this.file.edges[edge * this.edgeWidth] as number] as string;
  }

  private edgeName(edge: number): string {
    const name = this.file.edges[edge * this.edgeWidth + 1] as number;
    const kind = this.edgeKindOf(edge);
    return kind === 'element' || kind === 'hidden'
      ? String(name)
      : (this.file.strings[name] as string);
  }

  private target(edge: number): number {
    return (this.file.edges[edge * this.edgeWidth + 2] as number) / this.width;
  }
}

const UNREACHED = -1;

interface Parents {
  readonly node: Int32Array;
  readonly edge: Uint32Array;
}
