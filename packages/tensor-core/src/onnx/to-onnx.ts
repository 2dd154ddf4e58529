import { isNDArray, type NDArray, ndarray, treeLeaves } from '@palimpsest/base';
import { traceFunction } from '../engines/traced-graph.js';

export interface ToOnnxOptions {
  /** Name of the graph. Default: the function's own name. */
  readonly name?: string;
  /** Arguments stored in the file as weights, such as a trained model's parameters; the others become inputs. */
  readonly freeze?: readonly number[];
}

export interface OnnxModel {
  /** The file's contents: an ONNX ModelProto, opset 20. */
  readonly bytes: Uint8Array;
  readonly nodes: number;
  /** Inputs in order, with the paths of the argument leaves they stand for. */
  readonly inputs: readonly { name: string; path: string; shape: readonly number[] }[];
  readonly outputs: readonly { name: string; path: string; shape: readonly number[] }[];
}

/**
 * Writes a function of tensors as a standard ONNX model.
 * @param args examples of the arguments: trees of host arrays that fix structure, shapes and dtypes.
 * @throws TraceError when the function uses an op outside the table.
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
  const traced = traceFunction(name, fn, args, leaves);
  return {
    bytes: traced.bytes,
    nodes: traced.nodes,
    inputs: traced.inputNames.flatMap((inputName, index) =>
      inputName ? [{ name: inputName, path: leaves[index]!.path, shape: leaves[index]!.shape }] : [],
    ),
    outputs: traced.outputs.map(({ name: outputName, path, shape }) => ({ name: outputName, path, shape })),
  };
}
