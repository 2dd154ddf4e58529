import { InputError, isNDArray, type NDArray, ndarray, treeLeaves } from '@palimpsest/base';
import { traceFunction } from '../engines/traced-graph.js';
import type { ExternalTensor, PlaceConstant } from './constants.js';

/** Bytes of weights that one file may hold. Beyond this the writer copies the whole message at every write; the format's own limit is twice as much. */
export const LARGEST_MODEL = 2 ** 30;
/** Arrays from this size on go to the second file. */
const EXTERNAL_BYTES = 1024;
/** Readers map pages of the file into memory. */
const ALIGNMENT = 4096;

export interface ToOnnxOptions {
  /** Name of the graph. Default: the function's own name. */
  readonly name?: string;
  /** Arguments stored in the file as weights, such as a trained model's parameters; the others become inputs. */
  readonly freeze?: readonly number[];
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
  readonly external?: ExternalFile;
  readonly nodes: number;
  /** Inputs in order, with the paths of the argument leaves they stand for. */
  readonly inputs: readonly { name: string; path: string; shape: readonly number[] }[];
  readonly outputs: readonly { name: string; path: string; shape: readonly number[] }[];
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
  const traced = traceFunction(
    name,
    fn,
    args,
    leaves,
    new Set(),
    file === undefined ? undefined : inFile(file),
  );
  return {
    bytes: traced.bytes,
    ...(file !== undefined && { external: externalFile(file, traced.external) }),
    nodes: traced.nodes,
    inputs: traced.inputNames.flatMap((inputName, index) =>
      inputName ? [{ name: inputName, path: leaves[index]!.path, shape: leaves[index]!.shape }] : [],
    ),
    outputs: traced.outputs.map(({ name: outputName, path, shape }) => ({ name: outputName, path, shape })),
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
