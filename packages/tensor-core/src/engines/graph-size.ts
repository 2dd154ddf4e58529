import { sizeOf } from '@palimpsest/base';
import { everyNode, type GraphNode, orderedNodes, type Value } from '../trace/graph.js';

/** What a session of the runtime needs, estimated from its graph. */
export interface GraphSize {
  /** Bytes of the constants in it; those in files are not counted. */
  readonly constants: number;
  /** Largest sum of intermediate results that are alive at once, in bytes; inputs and results of the graph not counted. */
  readonly working: number;
  /** Bytes of what the runtime keeps about nodes. */
  readonly description: number;
}

/** What the runtime keeps per node and per session, as measured on graphs of 60 to 8,000 nodes. */
const BYTES_PER_NODE = 6_000;
const BYTES_PER_SESSION = 1_000_000;

/** Nodes whose output lies in the memory of their first input. */
const VIEWS = new Set(['Reshape', 'Identity', 'Squeeze', 'Unsqueeze', 'Flatten']);

const BYTES_PER_ELEMENT = {
  float32: 4,
  float64: 8,
  float16: 2,
  bfloat16: 2,
  int32: 4,
  int64: 8,
  bool: 1,
  uint8: 1,
} as const;

const bytesOf = ({ shape, dtype }: Value): number => sizeOf(shape) * BYTES_PER_ELEMENT[dtype];

/** @param results values that the graph gives */
export function graphSize(results: readonly Value[]): GraphSize {
  const nodes = everyNode(results);
  const constants = new Set<Value>();
  const note = (value: Value | undefined) => {
    if (value && (value.data || value.fill !== undefined)) constants.add(value);
  };
  for (const { inputs, branches } of nodes) {
    inputs.forEach(note);
    for (const value of Object.values(branches ?? {}).flat()) note(value);
  }
  return {
    constants: [...constants].reduce((sum, value) => sum + bytesOf(value), 0),
    working: workingBytes(results, new Set()),
    description: BYTES_PER_SESSION + nodes.length * BYTES_PER_NODE,
  };
}

/** The peak over the nodes in the order in which they run. @param outside nodes of the graphs around a branch */
function workingBytes(results: readonly Value[], outside: ReadonlySet<GraphNode>): number {
  const nodes = orderedNodes(results, outside);
  const inside = new Set([...outside, ...nodes]);
  const lastUse = lastUses(nodes);
  for (const value of results) lastUse.delete(origin(value));
  const ending = new Map<number, number>();
  let [alive, peak] = [0, 0];
  nodes.forEach((node, index) => {
    for (const output of VIEWS.has(node.op) ? [] : node.outputs) {
      const last = lastUse.get(output);
      if (last === undefined) continue;
      alive += bytesOf(output);
      ending.set(last, (ending.get(last) ?? 0) + bytesOf(output));
    }
    const branches = Object.values(node.branches ?? {}).map((values) => workingBytes(values, inside));
    peak = Math.max(peak, alive + Math.max(0, ...branches));
    alive -= ending.get(index) ?? 0;
  });
  return peak;
}

/** Number of the last node that reads each value, or a view of it. */
function lastUses(nodes: readonly GraphNode[]): Map<Value, number> {
  const last = new Map<Value, number>();
  nodes.forEach((node, index) => {
    const reads = [...node.inputs, ...capturedBy(node)];
    for (const value of reads) if (value?.producer) last.set(origin(value), index);
  });
  return last;
}

/** Values that the branches of a conditional read. */
function capturedBy({ branches }: GraphNode): readonly (Value | undefined)[] {
  const values = Object.values(branches ?? {}).flat();
  return values.length === 0 ? [] : [...values, ...everyNode(values).flatMap(({ inputs }) => inputs)];
}

/** The value in whose memory a value lies. */
function origin(value: Value): Value {
  let source = value;
  while (source.producer && VIEWS.has(source.producer.op)) source = source.producer.inputs[0]!;
  return source;
}
