import { InputError, isNDArray, type MapLeaves, type NDArray, ndarray, treeMap } from '@palimpsest/base';
import { whileBusy } from '../busy.js';
import type { DeviceArray } from '../device-array.js';
import type {
  Compiled,
  CompileOptions,
  Engine,
  EngineDescription,
  EngineMemory,
  EngineName,
} from '../engine.js';
import { tf } from '../tf.js';
import { ArgumentBinder } from './argument-binder.js';
import { GraphCache, type GraphTable } from './graph-cache.js';
import type { GraphLimits } from './graph-limits.js';
import { nextEngineId } from './live-arrays.js';
import { OnnxArrays } from './onnx-arrays.js';
import { type CompiledFunction, OnnxProgram, type Program, type RuntimeFiles } from './onnx-program.js';
import type { OnnxRuntime } from './onnx-runtime.js';
import { PackedWeights } from './packed-weights.js';
import { StoredPlaces } from './stored-places.js';

/**
 * Share of the bound on graphs that may be memory of their own for intermediate results. The rest is for what every graph
 * needs, so that graphs without memory of their own do not push each other out; and the memory that those share, which holds
 * the largest of them, comes on top of the bound.
 */
const OWN_MEMORY_SHARE = 0.5;

/** Traces compiled functions into static graphs and runs them with ONNX Runtime. */
export class OnnxEngine implements Engine {
  readonly id = nextEngineId();
  readonly #arrays: OnnxArrays;
  readonly #graphs: GraphCache<Program>;
  readonly #files: RuntimeFiles | undefined;
  #readsShared: Promise<boolean> | undefined;

  constructor(
    readonly name: EngineName,
    private readonly runtime: OnnxRuntime,
    private readonly description: EngineDescription,
    private readonly limits: GraphLimits,
  ) {
    this.#arrays = new OnnxArrays(runtime, this.id);
    this.#graphs = new GraphCache(limits.graphBytes);
    if (!runtime.readsFiles) return;
    const places = new StoredPlaces();
    this.#files = { places, packed: new PackedWeights(runtime, places, this.id) };
  }

  describe(): EngineDescription {
    return this.description;
  }

  compile<Args extends readonly unknown[], Out>(
    fn: (...args: Args) => Out,
    options: CompileOptions = {},
  ): Compiled<Args, Out> {
    const source: CompiledFunction = {
      name: options.name ?? (fn.name || 'anonymous function'),
      fn: fn as never,
      donated: new Set(options.donate ?? []),
      validate: options.validate ?? false,
      freeAxes: options.freeAxes ?? {},
    };
    // A runtime that copies its inputs would copy the weights at every call, so it is given them with the graph.
    const bakedBytes = this.runtime.sharesMemory ? this.limits.bakedBytes : Number.POSITIVE_INFINITY;
    const binder = new ArgumentBinder(
      source.name,
      this.id,
      new Set(options.freeze ?? []),
      bakedBytes,
      source.freeAxes,
    );
    const graphs: GraphTable<Program> = new Map();
    const traced = new Set<string>();
    const spare = () => OWN_MEMORY_SHARE * this.limits.graphBytes - this.#graphs.bytes;
    const run = async (...args: unknown[]) => {
      const call = binder.bind(args);
      traced.add(call.key);
      const build = () =>
        whileBusy(() =>
          OnnxProgram.build(source, this.runtime, this.#arrays, args, call, spare, this.#files),
        );
      return this.#graphs.use(graphs, call.key, build, (program) => program.run(call));
    };
    const dispose = async () => {
      traced.clear();
      await this.#graphs.clear(graphs);
    };
    const compiled = Object.assign(run, { dispose });
    Object.defineProperty(compiled, 'signatures', { get: () => traced.size });
    return compiled as unknown as Compiled<Args, Out>;
  }

  put<T>(tree: T): MapLeaves<T, NDArray, DeviceArray> {
    return treeMap<NDArray, DeviceArray, T>(tree, (leaf, path) => {
      if (!isNDArray(leaf))
        throw new InputError(`put() expects host arrays, but found something else at '${path}'.`);
      const data = this.#arrays.pool.take(leaf.dtype, leaf.data.length);
      data.set(leaf.data);
      return this.#arrays.hold(this.#arrays.tensor(leaf.dtype, data, leaf.shape), leaf.dtype, leaf.shape);
    });
  }

  async adopt<T>(tree: T): Promise<MapLeaves<T, NDArray, DeviceArray> | undefined> {
    this.#readsShared ??= this.#triesShared();
    return (await this.#readsShared) ? this.#over(tree) : undefined;
  }

  memory(): EngineMemory {
    return {
      ...this.#arrays.live.memory(),
      graphs: this.#graphs.count,
      graphBytes: this.#graphs.bytes,
    };
  }

  async dispose(): Promise<void> {
    this.#arrays.disposeAll();
    await this.#graphs.clearAll();
    await this.runtime.close?.();
  }

  /** Whether the runtime takes memory that threads share; Node.js 20 refuses to hand it over. */
  async #triesShared(): Promise<boolean> {
    if (!this.runtime.sharesMemory || typeof SharedArrayBuffer === 'undefined') return false;
    const twice = this.compile((x: tf.Tensor) => tf.add(x, x), { name: 'shared memory' });
    const x = this.#over(ndarray(new Float32Array(new SharedArrayBuffer(4)).fill(1), [1]));
    try {
      const result = await twice(x);
      const isRead = (await result.item()) === 2;
      result.dispose();
      return isRead;
    } catch {
      return false;
    } finally {
      x.dispose();
      await twice.dispose();
    }
  }

  /** Device arrays in the memory of host arrays. */
  #over<T>(tree: T): MapLeaves<T, NDArray, DeviceArray> {
    return treeMap<NDArray, DeviceArray, T>(tree, ({ data, dtype, shape }) =>
      this.#arrays.hold(this.#arrays.tensor(dtype, data, shape), dtype, shape),
    );
  }
}
