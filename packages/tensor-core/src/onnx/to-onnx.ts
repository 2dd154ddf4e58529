import { type DType, InputError, isNDArray, type NDArray, ndarray, treeLeaves } from '@palimpsest/base';
import { type GraphNaming, traceFunction } from '../engines/traced-graph.js';
import type { ExternalTensor, PlaceConstant } from './constants.js';
import type { ModelNotes } from './protobuf.js';

/** Bytes of weights that one file may hold. Beyond this the writer copies the whole message at every write; the format's own limit is twice as much. */
export const LARGEST_MODEL = 2 ** 30;
/** Arrays from this size on go to the second file. */
const EXTERNAL_BYTES = 1024;
/** Readers map pages of the file into memory. */
const ALIGNMENT = 4096;

export interface ToOnnxOptions extends ModelNotes {
  /** Name of the graph. Default: the function's own name. */
  readonly name?: string;
  /** Arguments stored in the file as weights, such as a trained model's parameters; the others become inputs. */
  readonly freeze?: readonly number[];
  /**
   * Names of the arguments, in order. An input is called by its argument and its path in it, as in `state.layers.0.keys`, or
   * by its path alone where the argument's name is empty; an output by its path in the result, or `output`. Default: `in0`,
   * `in1`, and so on.
   */
  readonly argumentNames?: readonly string[];
  /**
   * Name of a second file for the data of large arrays, such as `model.onnx.data`, to be saved beside the model (ONNX external
   * data). Needed when they take more than 1 GiB. Default: everything is in the model.
   */
  readonly externalData?: string;
}

/** The second file of a model. */
export interface ExternalFile {
  readonly name: string;
  readonly byteLength: number;
  /**
   * Its contents, one part behind the other: arrays where they lie in memory, with zeros between them. A file may be larger
   * than any buffer.
   */
  readonly chunks: readonly Uint8Array[];
}

export interface OnnxModel {
  /** The file's contents: an ONNX ModelProto, opset 20. */
  readonly bytes: Uint8Array;
  /** What `externalData` asked for. */
  readonly external?: ExternalFile | undefined;
  readonly nodes: number;
  /** Inputs in order, with the paths of the argument leaves they stand for; leaves that nothing reads have none. */
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
}

/** An input or output of a model. */
export interface OnnxValue {
  readonly name: string;
  /** Place in its argument, or in the result. */
  readonly path: string;
  readonly shape: readonly number[];
  readonly dtype: DType;
}

/**
 * Writes a function of tensors as a standard ONNX model.
 * @param args examples of the arguments: trees of host arrays that fix structure, shapes and dtypes.
 * @throws TraceError when the function uses an op outside the table; InputError for more than 1 GiB of weights without
 * `externalData`.
 */
export function toOnnx(
  fn: (...args: never[]) => unknown,
  args: readonly unknown[],
  options: ToOnnxOptions = {},
): OnnxModel {
  const frozen = new Set(options.freeze ?? []);
  const leaves = args.flatMap((argument, index) =>
    treeLeaves<NDArray | number>(argument).map(({ path, leaf }) => {
      const array = isNDArray(leaf) ? leaf : ndarray(leaf);
      const base = { argument: index, path, shape: array.shape, dtype: array.dtype };
      return frozen.has(index) ? { ...base, frozen: array.data } : base;
    }),
  );
  const name = options.name ?? (fn.name || 'graph');
  const file = options.externalData;
  const weights = leaves.reduce((sum, leaf) => sum + ('frozen' in leaf ? leaf.frozen.byteLength : 0), 0);
  if (file === undefined && weights > LARGEST_MODEL) {
    throw new InputError(
      `The weights of '${name}' take ${(weights / 2 ** 30).toFixed(1)} GiB, but one ONNX file holds at most 1 GiB; give 'externalData' the name of a second file.`,
    );
  }
  const { argumentNames = [], description, metadata } = options;
  const traced = traceFunction(name, fn, args, leaves, {
    names: namesOf(argumentNames),
    notes: { ...(description && { description }), ...(metadata && { metadata }) },
  });
  const { bytes, external, nodes } = traced.encode(file === undefined ? undefined : inFile(file));
  return {
    bytes,
    external: file !== undefined ? externalFile(file, external) : undefined,
    nodes,
    inputs: traced.inputNames.flatMap((inputName, index) => {
      const { path, shape, dtype } = leaves[index]!;
      return inputName ? [{ name: inputName, path, shape, dtype }] : [];
    }),
    outputs: traced.outputs.map(({ name: outputName, path, shape, dtype }) => ({
      name: outputName,
      path,
      shape,
      dtype,
    })),
  };
}

/** Names that follow from the trees alone, each given once: a name stands for one value of a graph. */
function namesOf(argumentNames: readonly string[]): GraphNaming {
  const given = new Set<string>();
  const once = (name: string) => {
    if (given.has(name)) {
      throw new InputError(
        `Two values of the ONNX model would be called '${name}'; name the arguments otherwise.`,
      );
    }
    given.add(name);
    return name;
  };
  return {
    input: ({ argument, path }) => {
      const name = argumentNames[argument] ?? `in${argument}`;
      return once([name, path].filter((part) => part !== '').join('.') || 'input');
    },
    output: (path) => once(path || 'output'),
  };
}

/** Places arrays one behind the other in a file. */
function inFile(location: string): PlaceConstant {
  let end = 0;
  return (_name, bytes) => {
    if (bytes < EXTERNAL_BYTES) return undefined;
    const offset = Math.ceil(end / ALIGNMENT) * ALIGNMENT;
    end = offset + bytes;
    return { location, offset };
  };
}

function externalFile(name: string, tensors: readonly ExternalTensor[]): ExternalFile {
  const chunks: Uint8Array[] = [];
  let byteLength = 0;
  for (const { offset, data } of tensors) {
    if (offset > byteLength) chunks.push(new Uint8Array(offset - byteLength));
    chunks.push(data);
    byteLength = offset + data.byteLength;
  }
  return { name, byteLength, chunks };
}
