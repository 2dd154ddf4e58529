import protobuf from 'protobufjs/minimal.js';
import { ONNX_TYPE } from '../trace/emit.js';
import { type AttributeValue, everyNode, type GraphNode, orderedNodes, type Value } from '../trace/graph.js';
import { type ExternalTensor, type PlaceConstant, writeConstant } from './constants.js';
import { message, tag, text } from './wire.js';

type Writer = protobuf.Writer;

/** Opset whose semantics the traced nodes follow. */
export const OPSET = 20;
const IR_VERSION = 9;
const FLOAT_BITS = 5;

const ATTRIBUTE_TYPE = { float: 1, int: 2, string: 3, graph: 5, ints: 7 } as const;

function writeAttribute(writer: Writer, name: string, value: AttributeValue): void {
  text(writer, 1, name);
  if (typeof value === 'number') {
    writer.uint32(tag(3)).int64(value);
    writer.uint32(tag(20)).int32(ATTRIBUTE_TYPE.int);
  } else if (typeof value === 'string') {
    text(writer, 4, value);
    writer.uint32(tag(20)).int32(ATTRIBUTE_TYPE.string);
  } else if ('float' in value) {
    writer.uint32(tag(2, FLOAT_BITS)).float(value.float);
    writer.uint32(tag(20)).int32(ATTRIBUTE_TYPE.float);
  } else {
    for (const entry of value) writer.uint32(tag(8)).int64(entry);
    writer.uint32(tag(20)).int32(ATTRIBUTE_TYPE.ints);
  }
}

type NameOf = (value: Value) => string;

/** What the writer of a node knows of the graph. */
interface GraphNames {
  readonly nameOf: NameOf;
  /** Values that a node reads or that the model gives; trailing outputs that are none of these are left out. */
  readonly used: ReadonlySet<Value>;
}

/** @param enclosing nodes of the graphs around the node, its own included; branches use their values by name. */
function writeNode(
  writer: Writer,
  node: GraphNode,
  names: GraphNames,
  enclosing: ReadonlySet<GraphNode>,
): void {
  const { nameOf, used } = names;
  for (const input of node.inputs) text(writer, 1, input ? nameOf(input) : '');
  // A conditional has as many outputs as its branches, and standard ops need all of theirs; fused ones may leave some out.
  const last =
    node.branches || node.domain === ''
      ? node.outputs.length
      : node.outputs.findLastIndex((output) => used.has(output)) + 1;
  for (const output of node.outputs.slice(0, Math.max(1, last))) text(writer, 2, nameOf(output));
  text(writer, 4, node.op);
  for (const [name, value] of Object.entries(node.attributes)) {
    message(writer, 5, (attribute) => writeAttribute(attribute, name, value));
  }
  for (const [name, outputs] of Object.entries(node.branches ?? {})) {
    message(writer, 5, (attribute) => {
      text(attribute, 1, name);
      message(attribute, 6, (graph) =>
        writeBranch(graph, `${nameOf(node.outputs[0]!)}.${name}`, node, outputs, names, enclosing),
      );
      attribute.uint32(tag(20)).int32(ATTRIBUTE_TYPE.graph);
    });
  }
  if (node.domain !== '') text(writer, 7, node.domain);
}

/** One subgraph of a node. Outputs are copies, since a branch may give the values of the graph around it. */
function writeBranch(
  writer: Writer,
  name: string,
  { parameters = [] }: GraphNode,
  outputs: readonly Value[],
  names: GraphNames,
  enclosing: ReadonlySet<GraphNode>,
): void {
  const { nameOf } = names;
  const nodes = orderedNodes(outputs, enclosing);
  const inside = new Set([...enclosing, ...nodes]);
  for (const node of nodes) message(writer, 1, (part) => writeNode(part, node, names, inside));
  outputs.forEach((value, index) => {
    message(writer, 1, (part) => writeIdentity(part, nameOf(value), `${name}.${index}`));
  });
  text(writer, 2, name);
  for (const value of parameters) message(writer, 11, (part) => writeValueInfo(part, nameOf(value), value));
  outputs.forEach((value, index) => {
    message(writer, 12, (part) => writeValueInfo(part, `${name}.${index}`, value));
  });
}

function writeIdentity(writer: Writer, input: string, output: string): void {
  text(writer, 1, input);
  text(writer, 2, output);
  text(writer, 4, 'Identity');
}

function writeValueInfo(writer: Writer, name: string, value: Value): void {
  text(writer, 1, name);
  message(writer, 2, (type) =>
    message(type, 1, (tensor) => {
      tensor.uint32(tag(1)).int32(ONNX_TYPE[value.dtype]);
      message(tensor, 2, (shape) => {
        value.shape.forEach((extent, axis) => {
          message(shape, 1, (dimension) => {
            if (axis === value.freeAxis) text(dimension, 2, `${name}.extent`);
            else dimension.uint32(tag(1)).int64(extent);
          });
        });
      });
    }),
  );
}

/** What a model says about itself to whoever opens the file. */
export interface ModelNotes {
  /** For people: how it is used. */
  readonly description?: string;
  /** For programs, as in the custom metadata of ONNX Runtime. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/** A graph input or output with the name under which the runtime knows it. */
export interface NamedValue {
  readonly name: string;
  readonly value: Value;
}

export interface EncodedModel {
  readonly bytes: Uint8Array;
  /** Data that the model refers to. */
  readonly external: readonly ExternalTensor[];
  readonly nodes: number;
  /** Multiply-adds of the matrix products, without those of conditional branches. */
  readonly products: number;
}

/** Multiply-adds of one node's matrix product; 0 for other nodes. */
function productsOf({ op, inputs, outputs }: GraphNode): number {
  if (op !== 'MatMul' && op !== 'Gemm' && op !== 'MatMulNBits') return 0;
  const inner = inputs[0]!.shape.at(-1)!;
  return outputs[0]!.shape.reduce((product, extent) => product * extent, inner);
}

/**
 * Writes a traced graph as an ONNX model (ModelProto of onnx.proto3).
 * Outputs that are inputs or constants go through an Identity node, since ONNX wants outputs made by nodes.
 * @param place constants whose data the model shall only refer to; by default it holds all of them
 */
export function encodeModel(
  graphName: string,
  inputs: readonly NamedValue[],
  outputs: readonly NamedValue[],
  place: PlaceConstant = () => undefined,
  { description, metadata = {} }: ModelNotes = {},
): EncodedModel {
  const nodes = orderedNodes(outputs.map(({ value }) => value));
  const inputNames = new Map(inputs.map(({ name, value }) => [value, name]));
  const outputNames = new Map<Value, string>();
  for (const { name, value } of outputs) {
    if (value.producer && !outputNames.has(value)) outputNames.set(value, name);
  }
  const nameOf: NameOf = (value) => inputNames.get(value) ?? outputNames.get(value) ?? `#${value.id}`;
  const constants = new Set<Value>();
  const given = new Set<Value>();
  const note = (value: Value | undefined) => {
    if (value && !value.producer && !inputNames.has(value) && !given.has(value)) constants.add(value);
  };
  const values = outputs.map(({ value }) => value);
  const used = new Set(values);
  for (const { inputs: read, branches, parameters = [] } of everyNode(values)) {
    for (const input of read) if (input) used.add(input);
    for (const value of Object.values(branches ?? {}).flat()) used.add(value);
    for (const value of parameters) given.add(value);
  }
  used.forEach(note);
  const names: GraphNames = { nameOf, used };

  const external: ExternalTensor[] = [];
  const writer = protobuf.Writer.create();
  writer.uint32(tag(1)).int64(IR_VERSION);
  text(writer, 2, 'palimpsest');
  if (description) text(writer, 6, description);
  message(writer, 7, (graph) => {
    const enclosing = new Set(nodes);
    for (const node of nodes) message(graph, 1, (part) => writeNode(part, node, names, enclosing));
    for (const { name, value } of outputs) {
      if (outputNames.get(value) === name) continue;
      message(graph, 1, (part) => writeIdentity(part, nameOf(value), name));
    }
    text(graph, 2, graphName);
    for (const value of constants) {
      message(graph, 5, (part) => {
        const outside = writeConstant(part, nameOf(value), value, place);
        if (outside) external.push(outside);
      });
    }
    for (const { name, value } of inputs) message(graph, 11, (part) => writeValueInfo(part, name, value));
    for (const { name, value } of outputs) message(graph, 12, (part) => writeValueInfo(part, name, value));
  });
  const domains = new Set(['', ...everyNode(values).map((node) => node.domain)]);
  for (const domain of domains) {
    message(writer, 8, (part) => {
      text(part, 1, domain);
      part.uint32(tag(2)).int64(domain === '' ? OPSET : 1);
    });
  }
  for (const [key, value] of Object.entries(metadata)) {
    message(writer, 14, (entry) => {
      text(entry, 1, key);
      text(entry, 2, value);
    });
  }
  return {
    bytes: writer.finish(),
    external,
    nodes: nodes.length,
    products: nodes.reduce((sum, node) => sum + productsOf(node), 0),
  };
}
