import { InputError } from '../errors.js';
import type { DType, TypedArray } from '../ndarray.js';
import { type EncodedModel, encodeModel, type NamedValue } from '../onnx/protobuf.js';
import { tf } from '../tf.js';
import { trace } from '../trace/backend.js';
import { everyNode, GraphBuilder, type Value } from '../trace/graph.js';
import { treeMap } from '../tree.js';

/** One array leaf of the arguments, as tracing sees it. */
export interface TracedLeaf {
  readonly argument: number;
  readonly path: string;
  readonly shape: readonly number[];
  readonly dtype: DType;
  /** Data to bake into the graph; absent for inputs. */
  readonly frozen?: TypedArray;
}

export interface TracedOutput {
  readonly name: string;
  readonly path: string;
  readonly shape: readonly number[];
  readonly dtype: DType;
  /** Number of the leaf whose memory the output may take over, because its node updates a cache in place. */
  readonly inPlaceOf?: number;
}

/** A function as a static graph, ready to be saved or run. */
export interface TracedModel extends EncodedModel {
  /** Names of the inputs that the graph uses, by position in the list of leaves. */
  readonly inputNames: readonly (string | undefined)[];
  readonly outputs: readonly TracedOutput[];
  /** The result's structure, with the number of the output in place of each tensor. */
  readonly template: unknown;
}

/**
 * Traces a function of trees of tensors.
 * @param leaves the array leaves of all arguments, in the order in which `args` lists them.
 */
export function traceFunction(
  name: string,
  fn: (...args: never[]) => unknown,
  args: readonly unknown[],
  leaves: readonly TracedLeaf[],
): TracedModel {
  const graph = new GraphBuilder(name);
  const values = leaves.map((leaf) =>
    leaf.frozen ? graph.frozen(leaf.frozen, leaf.shape, leaf.dtype) : graph.input(leaf.shape, leaf.dtype),
  );
  const outputs: (NamedValue & TracedOutput)[] = [];
  let template: unknown;
  trace(graph, (tensorOf, graphValueOf) => {
    let next = 0;
    const inputs = args.map((argument) => treeMap(argument, () => tensorOf(values[next++]!)));
    const result = fn(...(inputs as never[]));
    template = treeMap<tf.Tensor, number>(result, (leaf, path) => {
      if (!(leaf instanceof tf.Tensor)) {
        throw new InputError(`The result of '${name}'${path ? ` at '${path}'` : ''} is not a tensor.`);
      }
      const value = graphValueOf(leaf);
      const output = {
        name: outputName(path, outputs.length),
        path,
        value,
        shape: value.shape,
        dtype: value.dtype as DType,
        ...cacheUpdate(value, values),
      };
      return outputs.push(output) - 1;
    });
  });
  const used = usedValues(outputs.map(({ value }) => value));
  const shared = sharedInputs(outputs.map(({ value }) => value));
  const inputNames = leaves.map((leaf, index) => {
    if (leaf.frozen || !used.has(values[index]!)) return undefined;
    return inputName(leaf, index);
  });
  const named = inputNames.flatMap((inputName, index) =>
    inputName ? [{ name: inputName, value: values[index]! }] : [],
  );
  const checked = outputs.map(({ inPlaceOf, ...output }) =>
    inPlaceOf === undefined || shared.has(values[inPlaceOf]!) ? output : { ...output, inPlaceOf },
  );
  return { ...encodeModel(name, named, outputs), inputNames, outputs: checked, template };
}

const inputName = (leaf: TracedLeaf, index: number) =>
  `in${index}.${leaf.argument}${leaf.path ? `.${leaf.path}` : ''}`;
const outputName = (path: string, index: number) => `out${index}${path ? `.${path}` : ''}`;

/** Nodes that write into a cache: where the cache comes in, by where it goes out. */
const CACHE_INPUTS: Readonly<Record<string, Readonly<Record<number, number>>>> = {
  GroupQueryAttention: { 1: 3, 2: 4 },
};

/** The leaf that an output updates, if the node that makes it can do so in the leaf's own memory. */
function cacheUpdate(value: Value, leaves: readonly Value[]): { inPlaceOf?: number } {
  const node = value.producer;
  const input = node && CACHE_INPUTS[node.op]?.[node.outputs.indexOf(value)];
  if (input === undefined) return {};
  const leaf = leaves.indexOf(node!.inputs[input]!);
  return leaf < 0 ? {} : { inPlaceOf: leaf };
}

/** Inputs that more than one node reads, or that are given back as they are; these must not change during a run. */
function sharedInputs(outputs: readonly Value[]): Set<Value> {
  const seen = new Set<Value>(outputs);
  const shared = new Set<Value>(outputs);
  const note = (value: Value | undefined) => {
    if (value && seen.has(value)) shared.add(value);
    if (value) seen.add(value);
  };
  for (const { inputs, branches } of everyNode(outputs)) {
    inputs.forEach(note);
    for (const value of Object.values(branches ?? {}).flat()) note(value);
  }
  return shared;
}

function usedValues(outputs: readonly Value[]): Set<Value> {
  const used = new Set<Value>(outputs);
  for (const { inputs, branches } of everyNode(outputs)) {
    for (const input of inputs) if (input) used.add(input);
    for (const output of Object.values(branches ?? {}).flat()) used.add(output);
  }
  return used;
}
