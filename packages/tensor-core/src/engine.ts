import type { MapLeaves, NDArray } from '@palimpsest/base';
import type { DeviceArray } from './device-array.js';
import type { tf } from './tf.js';

export type EngineName = 'onnx' | 'onnx-web' | 'tfjs-node-gpu' | 'tfjs-node' | 'wasm' | 'cpu';

/** What may be given to a compiled function where it expects a tensor. */
export type InputLeaf = NDArray | DeviceArray | number;
export type ToInput<T> = MapLeaves<T, tf.Tensor, InputLeaf>;
export type ToDevice<T> = MapLeaves<T, tf.Tensor, DeviceArray>;
export type ToHost<T> = MapLeaves<T, tf.Tensor, NDArray>;
export type ToTensor<T> = MapLeaves<T, NDArray, tf.Tensor>;

export interface CompileOptions {
  /** Name for error messages; default: the function's own name. */
  readonly name?: string;
  /** Arguments whose device arrays the call may consume: their memory is reused and they are disposed. */
  readonly donate?: readonly number[];
  /**
   * Arguments that no longer change, such as the parameters of a trained model. Small ones become constants of the graph,
   * which is traced anew when another tree is given; the others (see `bakedBytes` of `createEngine`) are read where they
   * lie, so their arrays may not be overwritten or disposed as long as the function is called with them.
   */
  readonly freeze?: readonly number[];
  /**
   * Arguments that have an axis of any extent, by number: the axis. One graph serves all extents, so the function must be one
   * whose graph does not depend on them: it is traced with those of the first call. A result with such an axis must be the
   * update of a cache that is donated. Engines that run op by op need no such promise. Default: none.
   */
  readonly freeAxes?: Readonly<Record<number, number>>;
  /** Check every output for NaN and infinity and say which one has it. Default false. */
  readonly validate?: boolean;
}

/** A compiled function: trees of arrays in, trees of device arrays out. */
export interface Compiled<Args extends readonly unknown[], Out> {
  (...args: { [K in keyof Args]: ToInput<Args[K]> }): Promise<ToDevice<Out>>;
  /** Number of signatures (shapes and dtypes of all inputs) traced so far; those whose graph was released since count too. */
  readonly signatures: number;
  /** Releases every traced graph. */
  dispose(): Promise<void>;
}

export interface EngineMemory {
  /** Device arrays alive. */
  readonly arrays: number;
  /** Their bytes. */
  readonly bytes: number;
  /** Compiled graphs kept; 0 on engines that run op by op. */
  readonly graphs: number;
  /**
   * Bytes that the graphs hold between calls, as estimated from their constants, nodes and intermediate results. Memory of
   * intermediate results that all graphs share belongs to the process and is not in it.
   */
  readonly graphBytes: number;
}

export interface EngineDescription {
  readonly name: EngineName;
  /** Library and version that runs the ops. */
  readonly runtime: string;
  /** Execution provider or backend in use. */
  readonly device: string;
  readonly threads: number;
  /** Why this engine was picked, or why it can be used. */
  readonly reason: string;
  /** Engines that were tried and could not be loaded, with the reason and the command that helps. */
  readonly unavailable: readonly EngineProbe[];
}

export interface EngineProbe {
  readonly name: EngineName;
  readonly available: boolean;
  readonly reason: string;
  readonly remedy?: string;
}

export interface Engine {
  readonly name: EngineName;
  readonly id: number;
  describe(): EngineDescription;
  /**
   * Compiles a pure function of tensors. It is traced (or run eagerly) once per signature of its inputs.
   * @throws InputError when an argument has the wrong structure, shape or dtype; TraceError for an op outside the table.
   */
  compile<Args extends readonly unknown[], Out>(
    fn: (...args: Args) => Out,
    options?: CompileOptions,
  ): Compiled<Args, Out>;
  /** Copies a tree of host arrays to the engine. */
  put<T>(tree: T): MapLeaves<T, NDArray, DeviceArray>;
  /**
   * Device arrays over host arrays in memory that threads share: nothing is copied, and a call that is given one by donation
   * writes there. The memory stays the caller's, who leaves it alone while a call is under way.
   * @returns nothing where the engine does not compute in such memory.
   */
  adopt?<T>(tree: T): Promise<MapLeaves<T, NDArray, DeviceArray> | undefined>;
  memory(): EngineMemory;
  /** Releases everything the engine holds; the engine cannot be used afterwards. */
  dispose(): Promise<void>;
}
