import type { NDArray } from '@palimpsest/base';
import { type DeviceArray, disposeTree, type Engine, type MapLeaves } from '@palimpsest/tensor-core';
import type { LayerCache } from '../cache.js';
import { FusedForms } from '../fused-forms.js';
import type { TransformerParameters } from '../parameters.js';
import type { Transformer } from '../transformer.js';
import type { KernelCache } from './cache.js';
import type { KernelTokens } from './tokens.js';

type OnDevice<T> = MapLeaves<T, NDArray, DeviceArray>;

/**
 * Prompts by a graph over the kernels' own memory, weights and caches alike: the runtime multiplies many rows in wider vectors than
 * WebAssembly has, and nothing is held twice.
 */
export class PromptGraph<P> {
  readonly #forms: FusedForms<P>;

  private constructor(
    private readonly engine: Engine,
    model: Transformer<P>,
    private readonly weights: OnDevice<TransformerParameters<NDArray>>,
  ) {
    const complete = (params: unknown) => params as TransformerParameters;
    this.#forms = new FusedForms(engine, model, complete, weights, {}, false);
  }

  /** @returns nothing where the runtime does not take memory that threads share. */
  static async create<P>(
    engine: Engine,
    model: Transformer<P>,
    tokens: KernelTokens,
  ): Promise<PromptGraph<P> | undefined> {
    const weights = await engine.adopt?.(tokens.weights());
    return weights && new PromptGraph(engine, model, weights);
  }

  /** How many of so many tokens are read at once. */
  rowsOf(tokens: number, { position }: KernelCache): number {
    return Math.min(tokens, this.#forms.rowsFor(this.#forms.sizeFor(position + tokens)));
  }

  /** Reads tokens that take the slots of their positions, for which the cache has room. @returns logits of the last one */
  async read(cache: KernelCache, ids: Int32Array): Promise<Float32Array> {
    const adopted = await this.engine.adopt!<LayerCache<NDArray>[]>(cache.arrays());
    const { logits, layers } = await this.#forms.read(ids, cache.position, cache.size, adopted!);
    cache.take(ids.length);
    disposeTree(layers);
    const values = (await logits.data()) as Float32Array;
    logits.dispose();
    return values;
  }

  async dispose(): Promise<void> {
    await this.#forms.dispose();
    disposeTree(this.weights);
  }
}
