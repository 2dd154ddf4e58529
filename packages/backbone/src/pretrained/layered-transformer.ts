import {
  type Compiled,
  type DeviceArray,
  type Engine,
  InputError,
  linear,
  type NDArray,
  ndarray,
  tf,
  treeLeaves,
  zeros,
} from '@palimpsest/tensor-core';
import { normalise } from '../block.js';
import { emptyState, type TransformerState } from '../cache.js';
import type { TransformerConfig } from '../config.js';
import { decoderTables, runLayer } from '../decoder.js';
import { embeddingFactor } from '../input-rows.js';
import { type BlockParameters, makeParameters, type Norm } from '../parameters.js';
import { HalfWeights } from './half-weights.js';
import type { LoadOptions } from './load-pretrained.js';
import { openCheckpoint } from './open-checkpoint.js';

/** The cache of one text, layer by layer. It belongs to the model that made it, and `read` takes it over. */
export type LayeredState = readonly TransformerState<DeviceArray>[];

type Run = Compiled<readonly unknown[], never>;

/** Rows of the head that are multiplied at once. */
const HEAD_ROWS = 4096;

/**
 * A checkpoint whose weights stay in 16 bits on the host: every layer becomes float32 when it is used, in memory that all
 * layers share. It holds half of the float32 weights and one layer, and every token pays for the conversion; for models
 * that would not fit otherwise.
 */
export class LayeredTransformer {
  readonly #layers: readonly Run[];
  readonly #norm: Run;
  readonly #product: Run;
  readonly #block: BlockParameters<NDArray>;
  readonly #finalNorm: Norm<NDArray>;

  /** @param weights in the files' own format */
  constructor(
    readonly engine: Engine,
    readonly options: TransformerConfig,
    readonly weights: HalfWeights,
  ) {
    const single: TransformerConfig = {
      ...options,
      layers: 1,
      vocabSize: 1,
      context: 1,
      localLayers: [],
      unrotatedLayers: [],
    };
    const { blocks, norm } = makeParameters<NDArray>(single, (shape) => zeros(shape));
    this.#block = blocks[0]!;
    this.#finalNorm = norm;
    weights.widenTree('norm.', norm);
    const tables = decoderTables(options);
    const compile = (name: string, donate: readonly number[], fn: (...args: never[]) => unknown): Run =>
      engine.compile(fn, { name, donate }) as never;
    const kinds = new Map<string, Run>();
    this.#layers = Array.from({ length: options.layers }, (_, layer) => {
      const kind = [options.localLayers, options.unrotatedLayers].map((list) => list.includes(layer)).join();
      const known = kinds.get(kind);
      if (known) return known;
      const run = compile(
        'layer',
        [1, 2],
        (block: BlockParameters, x: tf.Tensor3D, state: TransformerState) =>
          runLayer(options, tables, block, x, state, layer),
      );
      kinds.set(kind, run);
      return run;
    });
    this.#norm = compile('finalNorm', [1], (gains: Norm, x: tf.Tensor3D) =>
      normalise(lastRow(x), gains, options),
    );
    this.#product = compile('head', [], (head: tf.Tensor2D, x: tf.Tensor2D) => linear(x, head));
  }

  /**
   * Loads a Hugging Face folder whose weights are F16 or BF16.
   * @throws InputError as `loadPretrained` does, and for weights in float32.
   */
  static async load(engine: Engine, folder: string, options: LoadOptions = {}): Promise<LayeredTransformer> {
    const { onProgress, ...cache } = options;
    const { config, files, plan } = await openCheckpoint(folder, cache);
    try {
      return new LayeredTransformer(engine, config, await HalfWeights.load(config, plan, files, onProgress));
    } finally {
      await files.close();
    }
  }

  /** The cache before the first token. */
  initState(): LayeredState {
    const { options, engine } = this;
    return Array.from(
      { length: options.layers },
      () => engine.put(emptyState({ ...options, layers: 1 }, 1)) as unknown as TransformerState<DeviceArray>,
    );
  }

  /**
   * Reads more of a text.
   * @param ids at least one
   * @param state is consumed; the result's takes its place
   * @returns logits after the last id, `[vocabSize]`
   */
  async read(
    ids: ArrayLike<number>,
    state: LayeredState,
  ): Promise<{ logits: Float32Array; state: LayeredState }> {
    if (ids.length === 0) throw new InputError('At least one id can be read, but none was given.');
    let x: NDArray | DeviceArray = await this.#embed(ids, state);
    const next: TransformerState<DeviceArray>[] = [];
    for (const [layer, cache] of state.entries()) {
      this.weights.widenTree(`blocks.${layer}.`, this.#block);
      const result: { x: DeviceArray; state: TransformerState<DeviceArray> } = await this.#layers[layer]!(
        this.#block,
        x,
        cache,
      );
      x = result.x;
      next.push(result.state);
    }
    const last: DeviceArray = await this.#norm(this.#finalNorm, x);
    const logits = await this.#logits(last);
    last.dispose();
    return { logits, state: next };
  }

  /** Continues a prompt with the likeliest token again and again. @returns at most `count` new ids */
  async continueGreedily(
    prompt: ArrayLike<number>,
    count: number,
    endIds: readonly number[] = [],
  ): Promise<number[]> {
    const ids: number[] = [];
    let { logits, state } = await this.read(prompt, this.initState());
    while (ids.length < count) {
      const id = logits.indexOf(logits.reduce((a, b) => Math.max(a, b)));
      ids.push(id);
      if (endIds.includes(id) || ids.length === count) break;
      ({ logits, state } = await this.read([id], state));
    }
    for (const { leaf } of treeLeaves<DeviceArray>(state)) leaf.dispose();
    return ids;
  }

  async dispose(): Promise<void> {
    await Promise.all(
      [...new Set(this.#layers), this.#norm, this.#product].map((compiled) => compiled.dispose()),
    );
  }

  /** Rows of the embedding table, with those of learned positions. */
  async #embed(ids: ArrayLike<number>, state: LayeredState): Promise<NDArray> {
    const { modelWidth, context } = this.options;
    const rows = new Float32Array(ids.length * modelWidth);
    const row = (index: number) => rows.subarray(index * modelWidth, (index + 1) * modelWidth);
    for (let i = 0; i < ids.length; i++) this.weights.widenRows('tokenEmbedding', ids[i]!, row(i));
    const scale = embeddingFactor(this.options);
    if (scale !== 1) for (let i = 0; i < rows.length; i++) rows[i]! *= scale;
    if (this.weights.has('positionEmbedding')) {
      const start = (await state[0]!.position.data())[0]!;
      const place = new Float32Array(modelWidth);
      for (let i = 0; i < ids.length; i++) {
        this.weights.widenRows('positionEmbedding', Math.min(start + i, context - 1), place);
        row(i).forEach((value, column, into) => {
          into[column] = value + place[column]!;
        });
      }
    }
    return ndarray(rows, [1, ids.length, modelWidth]);
  }

  /** The head, a block of rows at a time. */
  async #logits(x: DeviceArray): Promise<Float32Array> {
    const { vocabSize, modelWidth } = this.options;
    const path = this.weights.has('head.weight') ? 'head.weight' : 'tokenEmbedding';
    const logits = new Float32Array(vocabSize);
    const block = new Float32Array(Math.min(HEAD_ROWS, vocabSize) * modelWidth);
    for (let from = 0; from < vocabSize; from += HEAD_ROWS) {
      const count = Math.min(HEAD_ROWS, vocabSize - from);
      const rows = block.subarray(0, count * modelWidth);
      this.weights.widenRows(path, from, rows);
      const part: DeviceArray = await this.#product(ndarray(rows, [count, modelWidth]), x);
      logits.set((await part.data()) as Float32Array, from);
      part.dispose();
    }
    return logits;
  }
}

function lastRow(x: tf.Tensor3D): tf.Tensor2D {
  const [batch, time, width] = x.shape;
  return tf.reshape(tf.slice(x, [0, time - 1, 0], [batch, 1, width]), [batch, width]);
}
