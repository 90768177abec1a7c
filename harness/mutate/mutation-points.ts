import { parseAst } from 'rolldown/parseAst';

/** A change of a few characters that somebody could make by mistake. */
export interface MutationPoint {
  /**
   * `file/function kind: code`, with a number where that stands more than once; it is the same as
   * long as the function has this code.
   */
  readonly name: string;
  readonly kind: MutationKind;
  /** The text from `start` to `end` of the compiled file is replaced. */
  readonly start: number;
  readonly end: number;
  readonly replacement: string;
}

/** A condition negated, a call or an await left out, a bound moved. */
export type MutationKind = 'negated' | 'call left out' | 'await left out' | 'bound moved';

interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [field: string]: unknown;
}

const NEXT_BOUND: Readonly<Record<string, string>> = { '<': '<=', '<=': '<', '>': '>=', '>=': '>' };
const LONGEST_CODE = 70;

/** Every point of a compiled file, in order. `file` is its name without folder and ending. */
export function mutationPoints(file: string, text: string): MutationPoint[] {
  const points: MutationPoint[] = [];
  const seen = new Map<string, number>();
  const add = (
    kind: MutationKind,
    within: string,
    shown: Node,
    { start, end }: Pick<Node, 'start' | 'end'>,
    replacement: string,
  ) => {
    const code = text.slice(shown.start, shown.end).replace(/\s+/g, ' ').slice(0, LONGEST_CODE);
    const base = `${file}/${within} ${kind}: ${code}`;
    const count = (seen.get(base) ?? 0) + 1;
    seen.set(base, count);
    const name = count === 1 ? base : `${base} (${count})`;
    points.push({ name, kind, start, end, replacement });
  };
  const textOf = ({ start, end }: Node) => text.slice(start, end);

  const visit = (node: Node, within: string): void => {
    const inside = nameOf(node) ?? within;
    const test = node.test;
    if (isNode(test) && test.type !== 'Literal')
      add('negated', inside, test, test, `!(${textOf(test)})`);
    if (node.type === 'ExpressionStatement') {
      const expression = node.expression as Node;
      const call =
        expression.type === 'AwaitExpression' ? (expression.argument as Node) : expression;
      // A constructor cannot do without `super`, and the mistake would be seen at once.
      if (call.type === 'CallExpression' && (call.callee as Node).type !== 'Super')
        add('call left out', inside, expression, node, ';');
    }
    if (node.type === 'AwaitExpression') {
      const argument = node.argument as Node;
      add('await left out', inside, node, node, `(${textOf(argument)})`);
    }
    const bound = node.type === 'BinaryExpression' ? NEXT_BOUND[String(node.operator)] : undefined;
    if (bound !== undefined) {
      const [left, right] = [node.left as Node, node.right as Node];
      add('bound moved', inside, node, node, `${textOf(left)} ${bound} ${textOf(right)}`);
    }
    for (const child of childrenOf(node)) visit(child, inside);
  };
  visit(parseAst(text) as unknown as Node, '');
  return points;
}

export function applyPoint(text: string, { start, end, replacement }: MutationPoint): string {
  return text.slice(0, start) + replacement + text.slice(end);
}

/** What a function, method or field is called. */
function nameOf(node: Node): string | undefined {
  const isNamed = [
    'FunctionDeclaration',
    'MethodDefinition',
    'PropertyDefinition',
    'VariableDeclarator',
  ];
  if (!isNamed.includes(node.type)) return undefined;
  const name = (node.id ?? node.key) as { readonly name?: unknown } | undefined;
  return typeof name?.name === 'string' && node.type !== 'VariableDeclarator'
    ? name.name
    : undefined;
}

function isNode(value: unknown): value is Node {
  return typeof (value as { type?: unknown } | null)?.type === 'string';
}

function* childrenOf(node: Node): Generator<Node> {
  for (const value of Object.values(node)) {
    if (isNode(value)) yield value;
    else if (Array.isArray(value)) for (const one of value) if (isNode(one)) yield one;
  }
}
