import {
  type DType,
  EngineError,
  InputError,
  isNDArray,
  type MapLeaves,
  type NDArray,
  overwriteRows,
  sizeOf,
  type TypedArray,
  treeLeaves,
  treeMap,
} from '@palimpsest/base';
import type { InferenceSession } from 'onnxruntime-common';
import { whileBusy } from '../busy.js';
import { DeviceArray, type DeviceStorage } from '../device-array.js';
import type {
  Compiled,
  CompileOptions,
  Engine,
  EngineDescription,
  EngineMemory,
  EngineName,
} from '../engine.js';
import { type BoundLeaf, bindArgument, checkFinite, signatureOf } from './arguments.js';
import { BufferPool } from './buffer-pool.js';
import { LiveArrays, nextEngineId } from './live-arrays.js';
import type { OnnxRuntime, OnnxTensor } from './onnx-runtime.js';
import { type TracedModel, traceFunction } from './traced-graph.js';

interface OnnxStorage extends DeviceStorage {
  readonly tensor: OnnxTensor;
  /** Another array has taken the memory over. */
  moved?: boolean;
}

/** Graphs with fewer multiply-adds, such as decode steps, run faster on one thread. */
const SMALL_PRODUCTS = 4e6;

/** A frozen argument as it was bound; the same tree is not looked through again. */
interface BakedArgument {
  readonly tree: unknown;
  readonly leaves: readonly BoundLeaf[];
  readonly key: string;
}

/** A traced function with the session that runs it. */
interface Program extends Omit<TracedModel, 'bytes'> {
  readonly session: InferenceSession;
}

/** Traces compiled functions into static graphs and runs them with ONNX Runtime. */
export class OnnxEngine implements Engine {
  readonly id = nextEngineId();
  readonly #live = new LiveArrays();
  readonly #pool = new BufferPool();
  readonly #sessions = new Set<InferenceSession>();

  constructor(
    readonly name: EngineName,
    private readonly runtime: OnnxRuntime,
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
    const programs = new Map<string, Promise<Program>>();
    const identities = new Identities();
    const frozen = new Set(options.freeze ?? []);
    const donated = new Set(options.donate ?? []);
    const baked = new Map<number, BakedArgument>();
    const bind = (argument: unknown, index: number) => {
      if (!frozen.has(index)) return bindArgument(name, argument, index, this.id);
      const known = baked.get(index);
      if (known && known.tree === argument) return known.leaves;
      const leaves = bindArgument(name, argument, index, this.id);
      baked.set(index, { tree: argument, leaves, key: signatureOf(leaves) + identities.key(leaves) });
      return leaves;
    };
    const run = async (...args: unknown[]) => {
      const perArgument = args.map(bind);
      const leaves = perArgument.flat();
      const key = perArgument
        .map((part, index) => (frozen.has(index) ? baked.get(index)!.key : signatureOf(part)))
        .join(';');
      let program = programs.get(key);
      if (!program) {
        program = whileBusy(() => this.#build(name, fn as never, args, leaves, frozen, donated));
        programs.set(key, program);
        program.catch(() => programs.delete(key));
      }
      return this.#run(name, await program, leaves, donated, options.validate ?? false);
    };
    const dispose = async () => {
      for (const program of programs.values()) await this.#release((await program).session);
      programs.clear();
    };
    const compiled = Object.assign(run, { dispose });
    Object.defineProperty(compiled, 'signatures', { get: () => programs.size });
    return compiled as unknown as Compiled<Args, Out>;
  }

  put<T>(tree: T): MapLeaves<T, NDArray, DeviceArray> {
    return treeMap<NDArray, DeviceArray, T>(tree, (leaf, path) => {
      if (!isNDArray(leaf))
        throw new InputError(`put() expects host arrays, but found something else at '${path}'.`);
      const data = this.#pool.take(leaf.dtype, leaf.data.length);
      data.set(leaf.data);
      return this.#hold(this.#tensor(leaf.dtype, data, leaf.shape), leaf.dtype, leaf.shape);
    });
  }

  memory(): EngineMemory {
    return this.#live.memory();
  }

  async dispose(): Promise<void> {
    this.#live.disposeAll();
    this.#pool.clear();
    for (const session of [...this.#sessions]) await this.#release(session);
  }

  async #release(session: InferenceSession): Promise<void> {
    if (this.#sessions.delete(session)) await session.release();
  }

  async #build(
    name: string,
    fn: (...args: never[]) => unknown,
    args: readonly unknown[],
    leaves: readonly BoundLeaf[],
    frozen: ReadonlySet<number>,
    donated: ReadonlySet<number>,
  ): Promise<Program> {
    const traced = await Promise.all(
      leaves.map(async ({ value, ...leaf }) => {
        if (!frozen.has(leaf.argument)) return leaf;
        return { ...leaf, frozen: value instanceof DeviceArray ? await value.data() : value.data.slice() };
      }),
    );
    const overwritable = this.runtime.preallocates ? donated : new Set<number>();
    const { bytes, ...model } = traceFunction(name, fn, args, traced, overwritable);
    const session = await guarded(name, () =>
      this.runtime.createSession(bytes, model.products < SMALL_PRODUCTS),
    );
    this.#sessions.add(session);
    return { ...model, session };
  }

  async #run(
    name: string,
    program: Program,
    leaves: readonly BoundLeaf[],
    donated: ReadonlySet<number>,
    validate: boolean,
  ): Promise<unknown> {
    const feeds: Record<string, OnnxTensor> = {};
    program.inputNames.forEach((inputName, index) => {
      if (inputName) feeds[inputName] = this.#feed(leaves[index]!);
    });
    const fetches: Record<string, OnnxTensor | null> = {};
    const moved: OnnxStorage[] = [];
    for (const { name: fetchName, dtype, shape, inPlaceOf } of program.fetches) {
      const cache = inPlaceOf === undefined ? undefined : takenOver(leaves, inPlaceOf, donated);
      if (cache) moved.push(cache);
      fetches[fetchName] = this.runtime.preallocates
        ? (cache?.tensor ?? this.#tensor(dtype, this.#pool.take(dtype, sizeOf(shape)), shape))
        : null;
    }
    const results = await guarded(name, () => program.session.run(feeds, fetches));
    for (const storage of this.runtime.preallocates ? moved : []) storage.moved = true;
    const resultOf = (fetchName: string) => (fetches[fetchName] ?? results[fetchName]) as OnnxTensor;
    const targets = program.outputs.map(({ write }) => write && this.#target(leaves, write.leaf, donated));
    for (const leaf of leaves) {
      if (donated.has(leaf.argument) && leaf.value instanceof DeviceArray) leaf.value.dispose();
    }
    const held = new Set<string>();
    const outputs = program.outputs.map(({ name: outputName, dtype, shape, write }, index) => {
      if (!write) {
        held.add(outputName);
        return this.#hold(resultOf(outputName), dtype, shape);
      }
      const data = targets[index]!;
      overwriteRows(
        data,
        shape,
        resultOf(write.rows).data as TypedArray,
        resultOf(write.slots).data as Int32Array,
      );
      return this.#hold(this.#tensor(dtype, data, shape), dtype, shape);
    });
    for (const { name: fetchName, dtype } of program.fetches) {
      if (!held.has(fetchName)) this.#pool.give(dtype, resultOf(fetchName).data as TypedArray);
    }
    const tree = treeMap<number, DeviceArray>(program.template, (index) => outputs[index]!);
    if (validate) checkFinite(name, await readAll(tree));
    return tree;
  }

  /** The memory in which rows of a donated leaf are overwritten: its own, or a copy when it is not the engine's alone. */
  #target(leaves: readonly BoundLeaf[], index: number, donated: ReadonlySet<number>): TypedArray {
    const own = takenOver(leaves, index, donated);
    if (own) {
      own.moved = true;
      return own.tensor.data as TypedArray;
    }
    const { value, dtype } = leaves[index]!;
    const data = value instanceof DeviceArray ? (value.storage() as OnnxStorage).tensor.data : value.data;
    const copy = this.#pool.take(dtype, data.length);
    copy.set(data as never);
    return copy;
  }

  #feed(leaf: BoundLeaf): OnnxTensor {
    if (leaf.value instanceof DeviceArray) return (leaf.value.storage() as OnnxStorage).tensor;
    return this.#tensor(leaf.dtype, leaf.value.data, leaf.shape);
  }

  #tensor(dtype: DType, data: TypedArray, shape: readonly number[]): OnnxTensor {
    return new this.runtime.Tensor(dtype, data as never, shape);
  }

  #hold(tensor: OnnxTensor, dtype: DType, shape: readonly number[]): DeviceArray {
    const storage: OnnxStorage = {
      tensor,
      // A copy, because the memory is handed out again after the array is gone.
      read: async () => ((await tensor.getData()) as TypedArray).slice() as TypedArray,
      release: () => {
        this.#live.remove(array);
        if (storage.moved) return;
        if (tensor.location === 'cpu') this.#pool.give(dtype, tensor.data as TypedArray);
        else tensor.dispose();
      },
    };
    const array: DeviceArray = new DeviceArray(shape, dtype, this.id, storage);
    return this.#live.add(array);
  }
}

/** The memory of a donated leaf that an output may take over: nobody else is given the same array. */
function takenOver(
  leaves: readonly BoundLeaf[],
  index: number,
  donated: ReadonlySet<number>,
): OnnxStorage | undefined {
  const { argument, value } = leaves[index]!;
  if (!donated.has(argument) || !(value instanceof DeviceArray)) return undefined;
  const storage = value.storage() as OnnxStorage;
  return leaves.filter((leaf) => leaf.value === value).length === 1 ? storage : undefined;
}

/** Numbers the frozen arrays, so that a graph is built anew when other arrays are frozen into it. */
class Identities {
  readonly #numbers = new WeakMap<object, number>();
  #last = 0;

  key(leaves: readonly BoundLeaf[]): string {
    return leaves
      .map(({ value }) => {
        let number = this.#numbers.get(value);
        if (number === undefined) {
          this.#last += 1;
          number = this.#last;
          this.#numbers.set(value, number);
        }
        return `#${number}`;
      })
      .join('');
  }
}

async function readAll(tree: unknown) {
  const leaves = treeLeaves<DeviceArray>(tree);
  return Promise.all(leaves.map(async ({ path, leaf }) => ({ path, data: await leaf.data() })));
}

/** Turns failures of the runtime into one sentence. */
async function guarded<T>(name: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    if (/bad_alloc|allocat|out of memory/i.test(message)) {
      throw new EngineError(
        `There was not enough memory to run '${name}'; use a smaller batch, a shorter sequence or a smaller model.`,
      );
    }
    throw new EngineError(`ONNX Runtime could not run '${name}': ${message}`);
  }
}
