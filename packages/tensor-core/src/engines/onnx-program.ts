import { overwriteRows, sizeOf, type TypedArray, treeLeaves, treeMap } from '@palimpsest/base';
import { DeviceArray } from '../device-array.js';
import type { ExternalPlace } from '../onnx/constants.js';
import type { BoundCall } from './argument-binder.js';
import { checkFinite } from './arguments.js';
import type { Graph } from './graph-cache.js';
import { type OnnxArrays, takenOver } from './onnx-arrays.js';
import type { OnnxRuntime, OnnxSession, OnnxTensor } from './onnx-runtime.js';
import type { PackedWeights } from './packed-weights.js';
import { guarded } from './runtime-failure.js';
import type { StoredPlaces } from './stored-places.js';
import { type LeafWrite, type TracedModel, traceFunction } from './traced-graph.js';

/** Graphs with fewer multiply-adds, such as decode steps, run faster on one thread. */
const SMALL_PRODUCTS = 4e6;
/** Constants from this size on are handed to the runtime beside the graph, so that they are not copied into it first. */
const EXTERNAL_BYTES = 2 ** 16;

const placeOutside = (location: string, bytes: number): ExternalPlace | undefined =>
  bytes < EXTERNAL_BYTES ? undefined : { location, offset: 0 };

/** What a runtime knows about constants in files. */
export interface RuntimeFiles {
  readonly places: StoredPlaces;
  readonly packed: PackedWeights;
}

/** A function of tensors as it was given to `compile`. */
export interface CompiledFunction {
  readonly name: string;
  readonly fn: (...args: never[]) => unknown;
  readonly donated: ReadonlySet<number>;
  readonly validate: boolean;
  /** Axes of any extent, by argument. */
  readonly freeAxes: Readonly<Record<number, number>>;
}

/** A traced function, ready to run. */
export interface Program extends Graph {
  run(call: BoundCall): Promise<unknown>;
}

/** A traced function with the session that runs it. */
export class OnnxProgram implements Program {
  /** Fetches that are results; the others are rows on their way into one. */
  readonly #kept: ReadonlySet<string>;

  private constructor(
    private readonly source: CompiledFunction,
    private readonly runtime: OnnxRuntime,
    private readonly arrays: OnnxArrays,
    private readonly model: TracedModel,
    private readonly session: OnnxSession,
    readonly bytes: number,
  ) {
    this.#kept = new Set(model.outputs.flatMap((output) => (output.write ? [] : [output.name])));
  }

  /**
   * @param spare bytes that may go to memory of the session's own
   * @param files for a runtime that maps files; others are given the data
   */
  static async build(
    source: CompiledFunction,
    runtime: OnnxRuntime,
    arrays: OnnxArrays,
    args: readonly unknown[],
    { leaves, baked }: BoundCall,
    spare: () => number,
    files: RuntimeFiles | undefined,
  ): Promise<Program> {
    const traced = await Promise.all(
      leaves.map(async ({ value, ...leaf }) => {
        if (!baked.has(leaf.argument)) return { ...leaf, freeAxis: source.freeAxes[leaf.argument] };
        return { ...leaf, frozen: value instanceof DeviceArray ? await value.data() : value.data };
      }),
    );
    const overwritable = runtime.sharesMemory ? source.donated : new Set<number>();
    const model = traceFunction(source.name, source.fn, args, traced, {
      donated: overwritable,
      bits: runtime.bits,
    });
    if (model.fills) return new FilledProgram(source, arrays, model, model.fills);
    const { constants, description, working } = model.size;
    const stored = model.readsFiles ? files : undefined;
    // A graph for all extents is the only one of its kind: what it rearranges for itself is one copy, and is there sooner.
    const isAlone = Object.keys(source.freeAxes).length > 0;
    if (stored && !isAlone) await stored.packed.pack(model.storedProducts);
    const { bytes, external, products } = model.encode(
      // The runtime takes constants from files or from memory beside the graph, not both.
      (name, size, array) => (stored ? array && stored.places.placeOf(array) : placeOutside(name, size)),
    );
    const isSmall = products < SMALL_PRODUCTS;
    const storedFiles = stored && {
      folder: stored.places.root,
      isPacked: model.storedProducts.length > 0 || isAlone,
    };
    const ownsMemory = constants + description + working <= spare();
    const session = await guarded(source.name, () =>
      runtime.createSession({ bytes, external, files: storedFiles }, { isSmall, ownsMemory }),
    );
    const held = constants + description + (ownsMemory ? working : 0);
    return new OnnxProgram(source, runtime, arrays, model, session, held);
  }

  async release(): Promise<void> {
    await this.session.release();
  }

  async run({ leaves }: BoundCall): Promise<unknown> {
    const { source, arrays, model, runtime } = this;
    const { name, donated } = source;
    const feeds: Record<string, OnnxTensor> = {};
    model.inputNames.forEach((inputName, index) => {
      if (inputName) feeds[inputName] = arrays.feed(leaves[index]!);
    });
    const fetches: Record<string, OnnxTensor | null> = {};
    const moved: { moved?: boolean }[] = [];
    for (const fetch of model.fetches) {
      const { name: fetchName, dtype, inPlaceOf } = fetch;
      const shape = leaves[inPlaceOf ?? -1]?.shape ?? fetch.shape;
      const cache = inPlaceOf === undefined ? undefined : takenOver(leaves, inPlaceOf, donated);
      if (cache) moved.push(cache);
      // Rows on their way into another array are read where the runtime puts them.
      fetches[fetchName] =
        runtime.sharesMemory && this.#kept.has(fetchName)
          ? (cache?.tensor ?? arrays.tensor(dtype, arrays.pool.take(dtype, sizeOf(shape)), shape))
          : null;
    }
    const results = await guarded(name, () => this.session.run(feeds, fetches));
    for (const storage of runtime.sharesMemory ? moved : []) storage.moved = true;
    const fetched = (fetchName: string) => (fetches[fetchName] ?? results[fetchName]) as OnnxTensor;
    const slotsOf = ({ slots }: LeafWrite) =>
      (typeof slots === 'string' ? fetched(slots) : arrays.feed(leaves[slots]!)).data as Int32Array;
    const writes = model.outputs.map(
      ({ write }) => write && { data: arrays.target(leaves, write.leaf, donated), slots: slotsOf(write) },
    );
    for (const leaf of leaves) {
      if (donated.has(leaf.argument) && leaf.value instanceof DeviceArray) leaf.value.dispose();
    }
    const outputs = model.outputs.map((output, index) => {
      const { name: outputName, dtype, write, inPlaceOf } = output;
      const shape = leaves[write?.leaf ?? inPlaceOf ?? -1]?.shape ?? output.shape;
      if (!write) return arrays.hold(fetched(outputName), dtype, shape);
      const { data, slots } = writes[index]!;
      overwriteRows(data, shape, fetched(write.rows).data as TypedArray, slots, write.heads);
      return arrays.hold(arrays.tensor(dtype, data, shape), dtype, shape);
    });
    return resultOf(source, model, outputs);
  }
}

/** A traced function that gives constants, such as a memory before the first token: they need no session. */
class FilledProgram implements Program {
  readonly bytes = 0;

  constructor(
    private readonly source: CompiledFunction,
    private readonly arrays: OnnxArrays,
    private readonly model: TracedModel,
    private readonly fills: readonly number[],
  ) {}

  async release(): Promise<void> {}

  async run({ leaves }: BoundCall): Promise<unknown> {
    const { source, arrays, model, fills } = this;
    for (const { argument, value } of leaves) {
      if (source.donated.has(argument) && value instanceof DeviceArray) value.dispose();
    }
    const outputs = model.outputs.map(({ dtype, shape }, index) => {
      const data = arrays.pool.filled(dtype, sizeOf(shape), fills[index]!);
      return arrays.hold(arrays.tensor(dtype, data, shape), dtype, shape);
    });
    return resultOf(source, model, outputs);
  }
}

/** The outputs in the form of the function's result. */
async function resultOf(
  { name, validate }: CompiledFunction,
  { template }: TracedModel,
  outputs: readonly DeviceArray[],
): Promise<unknown> {
  const tree = treeMap<number, DeviceArray>(template, (index) => outputs[index]!);
  if (validate) checkFinite(name, await readAll(tree));
  return tree;
}

async function readAll(tree: unknown) {
  const leaves = treeLeaves<DeviceArray>(tree);
  return Promise.all(leaves.map(async ({ path, leaf }) => ({ path, data: await leaf.data() })));
}
