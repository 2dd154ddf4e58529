import { sizeOf, TraceError } from '@palimpsest/base';
import type { StoredArray, StoredDType } from '../stored-array.js';

/**
 * Element types of graph values: those of tensors, int64 for ONNX shapes and indices, float64 for the inside of long sums,
 * those of arrays in files for weights.
 */
export type ValueDType = 'int32' | 'bool' | 'int64' | 'float64' | StoredDType;
export type ConstantData = Float32Array | Int32Array | Uint8Array | BigInt64Array;
export type AttributeValue = number | string | readonly number[] | FloatAttribute;
/** A float attribute of an ONNX node; plain numbers are integers. */
export interface FloatAttribute {
  readonly float: number;
}

/** Bits of the longest numbers that nodes compute with: WebGPU has none of 64. Shapes and axes are int64 everywhere. */
export type GraphBits = 32 | 64;

/** An edge of the graph: an input, the output of a node, or a constant. */
export interface Value {
  readonly id: number;
  readonly shape: readonly number[];
  readonly dtype: ValueDType;
  /** Data of a constant. */
  readonly data?: ConstantData;
  /** The one number that a constant consists of; such constants are expanded only where a node needs them. */
  readonly fill?: number;
  /** Where the data of a constant lies that is not in memory. */
  readonly stored?: StoredArray;
  /** Axis whose extent may differ from call to call; `shape` has that of the example. */
  readonly freeAxis?: number | undefined;
  readonly producer?: GraphNode;
}

/** One ONNX node. */
export interface GraphNode {
  readonly op: string;
  readonly domain: string;
  readonly inputs: readonly (Value | undefined)[];
  readonly outputs: readonly Value[];
  readonly attributes: Readonly<Record<string, AttributeValue>>;
  /** Outputs of the node's subgraphs, by attribute name. Subgraphs see all values of the graph around them. */
  readonly branches?: Readonly<Record<string, readonly Value[]>>;
  /** What the node gives to its one subgraph: the inputs of the body of a loop. */
  readonly parameters?: readonly Value[];
}

/** What a loop goes over. */
export interface ScanOperands {
  /** Values before the first turn. */
  readonly carried: readonly Value[];
  /** Values of one entry per turn along the first axis. */
  readonly scanned: readonly Value[];
  /** From the last entry to the first; what is stacked lies at the place of its entry either way. */
  readonly reverse: boolean;
}

/** What one turn of a loop gives. */
export interface ScanTurn {
  /** Of the shapes of the values before the turn. */
  readonly carried: readonly Value[];
  readonly stacked: readonly Value[];
}

export interface OutputSpec {
  readonly shape: readonly number[];
  readonly dtype: ValueDType;
  /** See `Value`. */
  readonly freeAxis?: number | undefined;
}

/** Rows that a node writes into a copy of its target. */
export interface RowWrite {
  /** `[batch, heads, slots, ...]` */
  readonly target: Value;
  /** `[batch, heads, count, ...]` */
  readonly rows: Value;
  /** int32 `[batch, heads, count]` */
  readonly slots: Value;
}

/**
 * A static graph under construction. Equal nodes are made once (common subexpressions), and constants of one repeated
 * number stay symbolic, so that the zeros and ones of gradient tapes vanish instead of being computed.
 */
export class GraphBuilder {
  readonly inputs: Value[] = [];
  /** Values that are a target with other rows in it, for engines that write the rows themselves. */
  readonly rowWrites = new Map<Value, RowWrite>();
  readonly #interned = new Map<string, readonly Value[]>();
  readonly #constants = new Map<string, Value>();
  readonly #stored = new Map<StoredArray, Value>();
  #lastId = 0;

  /** @param bits default 64 */
  constructor(
    readonly name: string,
    readonly bits: GraphBits = 64,
  ) {}

  /** Type of indices that a node computes with. */
  get indexType(): 'int64' | 'int32' {
    return this.bits === 32 ? 'int32' : 'int64';
  }

  /** A new input of the graph. @param freeAxis see `Value` */
  input(shape: readonly number[], dtype: ValueDType, freeAxis?: number): Value {
    const value = this.#value({ shape, dtype, freeAxis });
    this.inputs.push(value);
    return value;
  }

  /** A constant with explicit data; small ones are shared, and one repeated number becomes a fill. */
  constant(data: ConstantData, shape: readonly number[], dtype: ValueDType): Value {
    if (data.length !== sizeOf(shape)) {
      throw new TraceError(`A constant of shape [${shape.join(', ')}] was given ${data.length} values.`);
    }
    if (dtype !== 'int64') {
      const repeated = repeatedNumber(data as Float32Array);
      if (repeated !== undefined) return this.fill(repeated, shape, dtype);
    }
    if (data.length > 64) return this.#value({ shape, dtype, data });
    return this.#shared(`${dtype}[${shape.join()}]${data.join()}`, { shape, dtype, data });
  }

  /** A frozen array: a constant that is never looked into while tracing, whatever its size. */
  frozen(data: ConstantData, shape: readonly number[], dtype: ValueDType): Value {
    return this.#value({ shape, dtype, data });
  }

  /** A constant in a file, the same for all nodes that read it. */
  stored(array: StoredArray): Value {
    const known = this.#stored.get(array);
    if (known) return known;
    const value = this.#value({ shape: array.shape, dtype: array.dtype, stored: array });
    this.#stored.set(array, value);
    return value;
  }

  /** A constant with every element equal to `fill`. */
  fill(fill: number, shape: readonly number[], dtype: ValueDType): Value {
    return this.#shared(`${dtype}[${shape.join()}]fill ${Object.is(fill, -0) ? '-0' : fill}`, {
      shape,
      dtype,
      fill,
    });
  }

  /** A one-element constant of rank 0, for broadcasting. */
  scalar(value: number, dtype: ValueDType = 'float32'): Value {
    return this.fill(value, [], dtype);
  }

  /** A list of int64 numbers, as ONNX wants shapes, axes and indices. */
  int64(values: readonly number[]): Value {
    const data = BigInt64Array.from(values.map(BigInt));
    return this.#shared(`int64[${values.length}]${values.join()}`, {
      shape: [values.length],
      dtype: 'int64',
      data,
    });
  }

  /** A list of indices that a node computes with; what a node only reads is `int64` in every graph. */
  indices(values: readonly number[]): Value {
    const data =
      this.indexType === 'int64' ? BigInt64Array.from(values.map(BigInt)) : Int32Array.from(values);
    return this.constant(data, [values.length], this.indexType);
  }

  /** Adds a node with one output. */
  node(
    op: string,
    inputs: readonly (Value | undefined)[],
    output: OutputSpec,
    attributes: Readonly<Record<string, AttributeValue>> = {},
    domain = '',
  ): Value {
    return this.nodes(op, inputs, [output], attributes, domain)[0]!;
  }

  /** Adds a node with several outputs, or finds the equal one that exists. */
  nodes(
    op: string,
    inputs: readonly (Value | undefined)[],
    outputs: readonly OutputSpec[],
    attributes: Readonly<Record<string, AttributeValue>> = {},
    domain = '',
  ): readonly Value[] {
    // Nothing is computed for arrays without elements, which several nodes of the runtime do not take.
    if (outputs.every(({ shape }) => sizeOf(shape) === 0)) {
      return outputs.map(({ shape, dtype }) => this.fill(0, shape, dtype));
    }
    const key = `${domain}/${op}(${inputs.map((value) => value?.id ?? '').join()})${JSON.stringify(attributes)}`;
    const known = this.#interned.get(key);
    if (known && known.length === outputs.length) return known;
    const values: Value[] = [];
    const node: GraphNode = { op, domain, inputs, outputs: values, attributes };
    for (const { shape, dtype, freeAxis } of outputs) {
      values.push(this.#value({ shape, dtype, freeAxis, producer: node }));
    }
    this.#interned.set(key, values);
    return values;
  }

  /** Adds an `If` node: the values of one branch or the other, of equal shapes. Only the branch that is taken is computed. */
  conditional(predicate: Value, ifTrue: readonly Value[], ifFalse: readonly Value[]): readonly Value[] {
    const values: Value[] = [];
    const node: GraphNode = {
      op: 'If',
      domain: '',
      inputs: [predicate],
      outputs: values,
      attributes: {},
      branches: { then_branch: ifTrue, else_branch: ifFalse },
    };
    for (const { shape, dtype } of ifTrue) values.push(this.#value({ shape, dtype, producer: node }));
    return values;
  }

  /**
   * Adds a `Scan` node: a body that runs once per entry of the scanned values, in order, with what it carries over.
   * @returns the carried values after the last turn, and what the turns gave, stacked along a new first axis
   */
  scan(
    { carried, scanned, reverse }: ScanOperands,
    body: (carried: readonly Value[], entries: readonly Value[]) => ScanTurn,
  ): ScanTurn {
    const before = carried.map((value) => this.#value({ shape: value.shape, dtype: value.dtype }));
    const entries = scanned.map((value) => this.#value({ shape: value.shape.slice(1), dtype: value.dtype }));
    const turn = body(before, entries);
    const turns = scanned[0]!.shape[0]!;
    const direction = Number(reverse);
    const values: Value[] = [];
    const node: GraphNode = {
      op: 'Scan',
      domain: '',
      inputs: [...carried, ...scanned],
      outputs: values,
      attributes: {
        num_scan_inputs: scanned.length,
        scan_input_directions: scanned.map(() => direction),
        scan_output_directions: turn.stacked.map(() => direction),
      },
      branches: { body: [...turn.carried, ...turn.stacked] },
      parameters: [...before, ...entries],
    };
    for (const { shape, dtype } of turn.carried) values.push(this.#value({ shape, dtype, producer: node }));
    for (const { shape, dtype } of turn.stacked) {
      values.push(this.#value({ shape: [turns, ...shape], dtype, producer: node }));
    }
    return { carried: values.slice(0, carried.length), stacked: values.slice(carried.length) };
  }

  #shared(key: string, value: Omit<Value, 'id'>): Value {
    const known = this.#constants.get(key);
    if (known) return known;
    const made = this.#value(value);
    this.#constants.set(key, made);
    return made;
  }

  #value(value: Omit<Value, 'id'>): Value {
    this.#lastId += 1;
    return { ...value, shape: [...value.shape], id: this.#lastId };
  }
}

/** The number that an array repeats, or `undefined`. Keeps -0 apart from 0. */
function repeatedNumber(data: Float32Array | Int32Array | Uint8Array): number | undefined {
  const first = data[0];
  if (first === undefined) return undefined;
  for (let i = 1; i < data.length; i++) if (!Object.is(data[i], first)) return undefined;
  return first;
}

/** Whether a value is known while tracing. */
export function isConstant(value: Value): boolean {
  return value.data !== undefined || value.fill !== undefined;
}

/** Visits the producers of values, depth first with an explicit stack: graphs of unrolled loops are deeper than the call stack. */
function visitNodes(
  outputs: readonly Value[],
  dependencies: (node: GraphNode) => readonly (Value | undefined)[],
  isOutside: (node: GraphNode) => boolean,
): GraphNode[] {
  const ordered: GraphNode[] = [];
  const seen = new Set<GraphNode>();
  const stack: { node: GraphNode; needs: readonly (Value | undefined)[]; next: number }[] = [];
  const push = (value: Value | undefined) => {
    const node = value?.producer;
    if (!node || seen.has(node) || isOutside(node)) return;
    seen.add(node);
    stack.push({ node, needs: dependencies(node), next: 0 });
  };
  for (const output of outputs) {
    push(output);
    while (stack.length > 0) {
      const top = stack[stack.length - 1]!;
      if (top.next < top.needs.length) {
        push(top.needs[top.next]);
        top.next += 1;
      } else {
        ordered.push(top.node);
        stack.pop();
      }
    }
  }
  return ordered;
}

const branchOutputs = ({ branches }: GraphNode): readonly Value[] => Object.values(branches ?? {}).flat();

/**
 * Nodes that the outputs need, in an order in which every node follows its inputs. Nodes that only a branch of a
 * conditional needs are left to the branch; what a branch shares with the graph around it comes before the conditional.
 * @param outside nodes of the graphs around this one, which are left out.
 */
export function orderedNodes(
  outputs: readonly Value[],
  outside: ReadonlySet<GraphNode> = new Set(),
): GraphNode[] {
  const isOutside = (node: GraphNode) => outside.has(node);
  const nodes = visitNodes(outputs, ({ inputs }) => inputs, isOutside);
  if (nodes.every(({ branches }) => !branches)) return nodes;
  const own = new Set(nodes);
  const captured = (node: GraphNode): Value[] => {
    const found: Value[] = [];
    const note = (value: Value | undefined) => {
      if (value?.producer && own.has(value.producer)) found.push(value);
    };
    const stop = (inner: GraphNode) => own.has(inner) || outside.has(inner);
    const everything = (inner: GraphNode) => [...inner.inputs, ...branchOutputs(inner)];
    for (const output of branchOutputs(node)) note(output);
    for (const inner of visitNodes(branchOutputs(node), everything, stop)) everything(inner).forEach(note);
    return found;
  };
  return visitNodes(outputs, (node) => [...node.inputs, ...captured(node)], isOutside);
}

/** All nodes that the outputs need, those inside of branches included, in no particular order. */
export function everyNode(outputs: readonly Value[]): GraphNode[] {
  return visitNodes(
    outputs,
    (node) => [...node.inputs, ...branchOutputs(node)],
    () => false,
  );
}
