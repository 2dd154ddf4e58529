import type { DecodingKernels, NDArray, Place } from '@palimpsest/base';
import { type Engine, InputError, ndarray, runOnce, treeLeaves, treeMap } from '@palimpsest/tensor-core';
import { treeBytes } from '../model-size.js';
import type { AnySequenceModel } from '../sequence-model.js';
import type { SegmentDecoder } from './long-text-decoder.js';

/** A text's memory on the processor, by the paths of the model's own state: float32 arrays as places, int32 arrays as they are. */
export interface HostMemory {
  readonly floats: Readonly<Record<string, Place>>;
  readonly ints: Readonly<Record<string, Int32Array>>;
}

/** How a model computes one token on the processor, with weights in the memory of the kernels. */
export interface HostForm {
  readonly kernels: DecodingKernels;
  readonly vocabSize: number;
  /** Where the logits of a token lie that was read with `wanted`. */
  readonly logits: Place;
  /** Takes up a text. @returns reads a token, and leaves the memory behind it; logits when somebody wants them */
  open(memory: HostMemory): (id: number, wanted: boolean) => void;
}

/** What all texts of a model share, and the memories of texts that are over. */
interface Shared {
  readonly form: HostForm;
  /** The memory before the first token. */
  readonly first: unknown;
  readonly free: HostMemory[];
}

/**
 * One text token by token on the processor, without a graph: a small model's token costs what reading its weights costs, where
 * every operation of a graph costs more than its arithmetic. The memory has the arrays of the model's own state.
 */
export class HostFormDecoder implements SegmentDecoder {
  readonly position = 0;
  readonly #shared: Shared;
  readonly #memory: HostMemory;
  readonly #token: (id: number, wanted: boolean) => void;

  private constructor(shared: Shared) {
    this.#shared = shared;
    this.#memory = shared.free.pop() ?? placesFor(shared);
    this.#token = shared.form.open(this.#memory);
  }

  /**
   * A decoder before the first token.
   * @param form made of the same parameters
   */
  static async create(
    engine: Engine,
    model: AnySequenceModel,
    params: unknown,
    form: HostForm,
  ): Promise<HostFormDecoder> {
    const first = await runOnce(engine, (tree: unknown) => model.initState(tree, 1), params);
    const decoder = new HostFormDecoder({ form, first, free: [] });
    await decoder.reset();
    return decoder;
  }

  get stateBytes(): number {
    return treeBytes(this.#shared.first);
  }

  async read(ids: ArrayLike<number>): Promise<Float32Array> {
    const { form } = this.#shared;
    for (let at = 0; at < ids.length; at++) this.#token(ids[at]!, at === ids.length - 1);
    return form.kernels.view(form.logits, form.vocabSize).slice();
  }

  async state(): Promise<unknown> {
    const { kernels } = this.#shared.form;
    const { floats, ints } = this.#memory;
    return treeMap<NDArray, NDArray>(this.#shared.first, ({ shape, dtype, data }, path) =>
      dtype === 'int32'
        ? ndarray(ints[path]!.slice(), shape, 'int32')
        : ndarray(kernels.view(floats[path]!, data.length).slice(), shape),
    );
  }

  async restore(state: unknown): Promise<void> {
    const { numbers } = this.#shared.form.kernels;
    const { floats, ints } = this.#memory;
    const leaves = treeLeaves<NDArray>(state);
    // Rows of tables are read by it.
    if (
      leaves.some(({ path, leaf }) => path === 'position' && leaf.data.some((place) => Number(place) < 0))
    ) {
      throw new InputError('The memory holds a position below 0, which no text has.');
    }
    for (const { path, leaf } of leaves) {
      if (leaf.dtype === 'int32') ints[path]!.set(leaf.data);
      else numbers.set(leaf.data, floats[path]!);
    }
  }

  reset(): Promise<void> {
    return this.restore(this.#shared.first);
  }

  async fork(): Promise<HostFormDecoder> {
    const fork = new HostFormDecoder(this.#shared);
    await fork.restore(await this.state());
    return fork;
  }

  async dispose(): Promise<void> {
    this.#shared.free.push(this.#memory);
  }
}

/** Room for a text's memory. */
function placesFor({ form, first }: Shared): HostMemory {
  const leaves = treeLeaves<NDArray>(first);
  const of = (dtype: string) => leaves.filter(({ leaf }) => leaf.dtype === dtype);
  return {
    floats: Object.fromEntries(
      of('float32').map(({ path, leaf }) => [path, form.kernels.allocate(leaf.data.length)]),
    ),
    ints: Object.fromEntries(of('int32').map(({ path, leaf }) => [path, new Int32Array(leaf.data.length)])),
  };
}
