import {
  type DType,
  type HeadsWithin,
  InputError,
  TraceError,
  type TypedArray,
  treeMap,
} from '@palimpsest/base';
import type { PlaceConstant } from '../onnx/constants.js';
import { type EncodedModel, encodeModel, type ModelNotes, type NamedValue } from '../onnx/protobuf.js';
import { tf } from '../tf.js';
import { trace } from '../trace/backend.js';
import { everyNode, type GraphBits, GraphBuilder, type GraphNode, type Value } from '../trace/graph.js';
import { type GraphSize, graphSize } from './graph-size.js';

/** One array leaf of the arguments, as tracing sees it. */
export interface TracedLeaf {
  readonly argument: number;
  readonly path: string;
  readonly shape: readonly number[];
  readonly dtype: DType;
  /** Data to bake into the graph; absent for inputs. */
  readonly frozen?: TypedArray;
  /** Axis whose extent may differ from call to call. */
  readonly freeAxis?: number | undefined;
}

/** What a run of the graph gives. */
export interface Fetch {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: DType;
  /** Number of the leaf whose memory the output may take over, because its node updates a cache in place. */
  readonly inPlaceOf?: number;
}

/** A result: a fetch of its name, or a donated leaf in which rows are overwritten after the run. */
export interface TracedOutput extends Fetch {
  readonly path: string;
  readonly write?: LeafWrite;
}

/** Rows that a leaf takes after the run. */
export interface LeafWrite {
  readonly leaf: number;
  /** The fetch that has the rows, beside those of other leaves. */
  readonly rows: string;
  readonly heads: HeadsWithin;
  /** A fetch, or the number of the leaf that says it. */
  readonly slots: string | number;
}

/** A function as a static graph, ready to be written. */
export interface TracedModel {
  readonly size: GraphSize;
  /** Names of the inputs that the graph uses, by position in the list of leaves. */
  readonly inputNames: readonly (string | undefined)[];
  readonly outputs: readonly TracedOutput[];
  readonly fetches: readonly Fetch[];
  /** The result's structure, with the number of the output in place of each tensor. */
  readonly template: unknown;
  /** Products with matrices of few bits that lie in files. */
  readonly storedProducts: readonly GraphNode[];
  /** Whether constants of it lie in files. */
  readonly readsFiles: boolean;
  /** The number that each output repeats, when all of them are such constants: there is nothing to run then. */
  readonly fills: readonly number[] | undefined;
  /** Writes the graph. @param place constants whose data shall stay outside of it. Default: none */
  encode(place?: PlaceConstant): EncodedModel;
}

export interface TraceOptions {
  /**
   * Arguments whose memory the results may take over: a result that is such a leaf with other rows is left to whoever runs
   * the graph, because the runtime copies every result. Default: none.
   */
  readonly donated?: ReadonlySet<number>;
  /** Names of inputs and outputs, each of its own. Default: some that are. */
  readonly names?: GraphNaming;
  readonly notes?: ModelNotes;
  /** Default 64 */
  readonly bits?: GraphBits;
}

export interface GraphNaming {
  input(leaf: TracedLeaf, index: number): string;
  output(path: string, index: number): string;
}

const NUMBERED: GraphNaming = {
  input: (leaf, index) => `in${index}.${leaf.argument}${leaf.path ? `.${leaf.path}` : ''}`,
  output: (path, index) => `out${index}${path ? `.${path}` : ''}`,
};

/**
 * Traces a function of trees of tensors.
 * @param leaves the array leaves of all arguments, in the order in which `args` lists them.
 */
export function traceFunction(
  name: string,
  fn: (...args: never[]) => unknown,
  args: readonly unknown[],
  leaves: readonly TracedLeaf[],
  { donated = new Set(), names = NUMBERED, notes, bits }: TraceOptions = {},
): TracedModel {
  const graph = new GraphBuilder(name, bits);
  const values = leaves.map((leaf) =>
    leaf.frozen
      ? graph.frozen(leaf.frozen, leaf.shape, leaf.dtype)
      : graph.input(leaf.shape, leaf.dtype, leaf.freeAxis),
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
        name: names.output(path, outputs.length),
        path,
        value,
        shape: value.shape,
        dtype: value.dtype as DType,
      };
      return outputs.push(output) - 1;
    });
  });
  const fetches = new Fetches();
  const reads = countReads(outputs.map(({ value }) => value));
  const taken = new Set<number>();
  const writes = outputs.map(({ value }) => {
    const write = graph.rowWrites.get(value);
    const leaf = write && reads.get(value) === 1 ? values.indexOf(write.target) : -1;
    const source = taken.has(leaf) ? undefined : leaves[leaf];
    if (!write || !source || source.frozen || !donated.has(source.argument)) return undefined;
    taken.add(leaf);
    return { ...write, leaf };
  });
  const joined = joinRows(
    graph,
    writes.flatMap((write) => write?.rows ?? []),
  );
  const results = outputs.map(({ value, ...output }, index): TracedOutput => {
    const write = writes[index];
    if (!write) {
      const inPlaceOf = cacheUpdate(value, values, reads);
      fetches.add(value, output.name, inPlaceOf);
      if (value.freeAxis !== undefined && inPlaceOf === undefined) {
        const where = output.path ? ` at '${output.path}'` : '';
        throw new TraceError(
          `The result of '${name}'${where} has an axis of any extent, but updates no cache.`,
        );
      }
      return inPlaceOf === undefined ? output : { ...output, inPlaceOf };
    }
    const { leaf } = write;
    const { value: rows, heads } = joined.get(write.rows)!;
    const given = values.indexOf(write.slots);
    const slots = given < 0 ? fetches.share(write.slots) : given;
    return { ...output, write: { leaf, rows: fetches.share(rows), heads, slots } };
  });
  const used = countReads(fetches.list.map(({ value }) => value));
  const inputNames = leaves.map((leaf, index) => {
    if (leaf.frozen || !used.has(values[index]!)) return undefined;
    return names.input(leaf, index);
  });
  const named = inputNames.flatMap((inputName, index) =>
    inputName ? [{ name: inputName, value: values[index]! }] : [],
  );
  const nodes = everyNode(fetches.list.map(({ value }) => value));
  return {
    encode: (place) => encodeModel(name, named, fetches.list, place, notes),
    storedProducts: nodes.filter(({ op, inputs }) => op === 'MatMulNBits' && inputs[1]!.stored),
    readsFiles: nodes.some(({ inputs }) => inputs.some((value) => value?.stored)),
    fills: repeated(outputs),
    size: graphSize(fetches.list.map(({ value }) => value)),
    inputNames,
    outputs: results,
    fetches: fetches.list,
    template,
  };
}

function repeated(outputs: readonly NamedValue[]): number[] | undefined {
  const fills = outputs.flatMap(({ value }) => value.fill ?? []);
  return fills.length === outputs.length ? fills : undefined;
}

/**
 * Rows of leaves that are alike side by side, because the runtime takes its time for every single result.
 * @returns where the rows of each are
 */
function joinRows(
  graph: GraphBuilder,
  rows: readonly Value[],
): ReadonlyMap<Value, { readonly value: Value; readonly heads: HeadsWithin }> {
  const alike = new Map<string, Value[]>();
  for (const value of new Set(rows)) {
    const { shape, dtype, freeAxis } = value;
    const key = `${dtype} ${shape.toSpliced(1, 1)} ${freeAxis}`;
    alike.set(key, [...(alike.get(key) ?? []), value]);
  }
  const joined = new Map<Value, { readonly value: Value; readonly heads: HeadsWithin }>();
  for (const values of alike.values()) {
    // The runtime computes the last of them first, and what they are cut from is held until then.
    const group = values.toReversed();
    const [first] = group as [Value];
    const all = group.reduce((sum, { shape }) => sum + shape[1]!, 0);
    const shape = first.shape.with(1, all);
    const value = group.length === 1 ? first : graph.node('Concat', group, { ...first, shape }, { axis: 1 });
    let before = 0;
    for (const part of group) {
      joined.set(part, { value, heads: { before, all } });
      before += part.shape[1]!;
    }
  }
  return joined;
}

/** What the graph shall give. */
class Fetches {
  readonly list: (Fetch & NamedValue)[] = [];

  add(value: Value, name: string, inPlaceOf?: number): string {
    const place = inPlaceOf === undefined ? {} : { inPlaceOf };
    this.list.push({ name, value, shape: value.shape, dtype: value.dtype as DType, ...place });
    return name;
  }

  /** A fetch that several writes may read. */
  share(value: Value): string {
    return (
      this.list.find((known) => known.value === value)?.name ?? this.add(value, `rows${this.list.length}`)
    );
  }
}

/** Nodes that write into a cache: where the cache comes in, by where it goes out. */
const CACHE_INPUTS: Readonly<Record<string, Readonly<Record<number, number>>>> = {
  GroupQueryAttention: { 1: 3, 2: 4 },
};

/** The leaf that an output updates, if the node that makes it can do so in the leaf's own memory: nothing else reads it. */
function cacheUpdate(
  value: Value,
  leaves: readonly Value[],
  reads: ReadonlyMap<Value, number>,
): number | undefined {
  const node = value.producer;
  const input = node && CACHE_INPUTS[node.op]?.[node.outputs.indexOf(value)];
  const source = input === undefined ? undefined : node!.inputs[input]!;
  const leaf = source && reads.get(source) === 1 ? leaves.indexOf(source) : -1;
  return leaf < 0 ? undefined : leaf;
}

/** How often each value is read by a node or given as a result. */
function countReads(outputs: readonly Value[]): Map<Value, number> {
  const reads = new Map<Value, number>();
  const count = (value: Value | undefined) => value && reads.set(value, (reads.get(value) ?? 0) + 1);
  outputs.forEach(count);
  for (const { inputs, branches } of everyNode(outputs)) {
    inputs.forEach(count);
    for (const output of Object.values(branches ?? {}).flat()) count(output);
  }
  return reads;
}
