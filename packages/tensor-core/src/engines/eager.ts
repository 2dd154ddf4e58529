import {
  type DType,
  EngineError,
  isNDArray,
  type MapLeaves,
  type NDArray,
  type TypedArray,
  treeLeaves,
  treeMap,
} from '@palimpsest/base';
import { DeviceArray, type DeviceStorage } from '../device-array.js';
import type {
  Compiled,
  CompileOptions,
  Engine,
  EngineDescription,
  EngineMemory,
  EngineName,
} from '../engine.js';
import { tf } from '../tf.js';
import { bindArguments, checkFinite, signatureOf } from './arguments.js';
import { LiveArrays, nextEngineId } from './live-arrays.js';

interface TensorStorage extends DeviceStorage {
  readonly tensor: tf.Tensor;
}

/** Runs `body` with a TensorFlow.js backend active and puts the former one back. */
export function withBackend<T>(backend: string, body: () => T): T {
  const engine = tf.engine();
  const former = engine.backendName;
  if (former === backend) return body();
  // Switching to an initialised backend takes effect at once; the promise only reports it.
  void engine.setBackend(backend);
  try {
    return body();
  } finally {
    if (former) void engine.setBackend(former);
  }
}

/** Runs compiled functions op by op on a TensorFlow.js backend. */
export class EagerEngine implements Engine {
  readonly id = nextEngineId();
  readonly #live = new LiveArrays();

  constructor(
    readonly name: EngineName,
    private readonly backend: string,
    private readonly description: EngineDescription,
  ) {}

  describe(): EngineDescription {
    return this.description;
  }

  compile<Args extends readonly unknown[], Out>(
    fn: (...args: Args) => Out,
    options: CompileOptions = {},
  ): Compiled<Args, Out> {
    const name = options.name ?? (fn.name || 'anonymous function');
    const donated = new Set(options.donate ?? []);
    const seen = new Set<string>();
    const run = async (...args: unknown[]) => {
      const leaves = bindArguments(name, args, this.id);
      seen.add(signatureOf(leaves));
      const temporary: tf.Tensor[] = [];
      const outputs = withBackend(this.backend, () => {
        const inputs = args.map((argument) => treeMap(argument, (leaf) => this.#tensor(leaf, temporary)));
        try {
          let kept: unknown;
          tf.tidy(() => {
            kept = this.#keepOutputs(fn(...(inputs as unknown as Args)), name);
          });
          return kept;
        } finally {
          for (const tensor of temporary) tensor.dispose();
        }
      });
      for (const leaf of leaves) {
        if (donated.has(leaf.argument) && leaf.value instanceof DeviceArray) leaf.value.dispose();
      }
      if (options.validate) await this.#validate(name, outputs);
      return outputs;
    };
    const compiled = Object.assign(run, { dispose: async () => seen.clear() });
    Object.defineProperty(compiled, 'signatures', { get: () => seen.size });
    return compiled as unknown as Compiled<Args, Out>;
  }

  put<T>(tree: T): MapLeaves<T, NDArray, DeviceArray> {
    return withBackend(this.backend, () =>
      treeMap<NDArray, DeviceArray, T>(tree, (leaf) => this.#hold(makeTensor(leaf))),
    );
  }

  memory(): EngineMemory {
    return { ...this.#live.memory(), graphs: 0, graphBytes: 0 };
  }

  async dispose(): Promise<void> {
    this.#live.disposeAll();
  }

  #tensor(leaf: unknown, temporary: tf.Tensor[]): tf.Tensor {
    if (leaf instanceof DeviceArray) return (leaf.storage() as TensorStorage).tensor;
    const tensor = typeof leaf === 'number' ? tf.scalar(leaf) : makeTensor(leaf as NDArray);
    temporary.push(tensor);
    return tensor;
  }

  #keepOutputs(result: unknown, name: string): unknown {
    return treeMap<tf.Tensor, DeviceArray>(result, (leaf, path) => {
      if (!(leaf instanceof tf.Tensor)) {
        throw new EngineError(`Output '${path}' of '${name}' is not a tensor.`);
      }
      // A clone, because an output may be one of the inputs or appear twice.
      return this.#hold(tf.keep(tf.clone(leaf)));
    });
  }

  #hold(tensor: tf.Tensor): DeviceArray {
    const array: DeviceArray = new DeviceArray(tensor.shape, tensor.dtype as DType, this.id, {
      tensor,
      read: async () => (await tensor.data()) as TypedArray,
      release: () => {
        tensor.dispose();
        this.#live.remove(array);
      },
    } as TensorStorage);
    return this.#live.add(array);
  }

  async #validate(name: string, outputs: unknown): Promise<void> {
    const data = await Promise.all(
      treeLeaves<DeviceArray>(outputs).map(async ({ path, leaf }) => ({ path, data: await leaf.data() })),
    );
    checkFinite(name, data);
  }
}

function makeTensor(leaf: NDArray): tf.Tensor {
  if (!isNDArray(leaf)) throw new EngineError('Expected a tree of host arrays {data, shape, dtype}.');
  // A copy: the cpu backend would otherwise keep a reference to the caller's memory.
  return tf.tensor(leaf.data.slice() as TypedArray, [...leaf.shape], leaf.dtype);
}
