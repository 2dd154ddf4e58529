import type { Decoder, DecoderOptions, StepDecoder } from '@palimpsest/lm';
import {
  type DeviceArray,
  disposeTree,
  type Engine,
  type Matrix,
  type NDArray,
  ndarray,
  type tf,
  toHost,
} from '@palimpsest/tensor-core';
import { slotsOf, type TransformerState } from './cache.js';
import { type FusedCaches, FusedForms } from './fused-forms.js';
import type { TransformerParameters } from './parameters.js';
import { inOrderOfPositions, resized } from './resized-state.js';
import type { Transformer } from './transformer.js';

/**
 * Decodes one text in few large nodes of ONNX Runtime, by one graph for any number of tokens and any size of the cache. The
 * cache doubles as the text fills it. When a text outgrows the cache that the model shall have, or a memory has gaps, the
 * general decoder goes on.
 */
export class FusedDecoder<P> implements Decoder {
  #layers: FusedCaches<DeviceArray>;
  #size: number;
  #position = 0;
  /** Goes on in place of the fused form. */
  #general: StepDecoder | undefined;

  private constructor(private readonly forms: FusedForms<P>) {
    this.#size = forms.sizeFor(0);
    this.#layers = forms.empty(this.#size);
    forms.users += 1;
  }

  /**
   * @param complete all weights, from those that are given at every call
   * @param params on the host, or on the engine (they stay the caller's).
   */
  static async create<P>(
    engine: Engine,
    model: Transformer<P>,
    complete: (params: P) => TransformerParameters<tf.Tensor, Matrix>,
    params: unknown,
    options: DecoderOptions = {},
  ): Promise<FusedDecoder<P>> {
    return new FusedDecoder(new FusedForms(engine, model, complete, params, options));
  }

  get stateBytes(): number {
    if (this.#general) return this.#general.stateBytes;
    const { layers, keyValueHeads, headWidth } = this.forms.config;
    return 4 * 2 * layers * keyValueHeads * headWidth * this.#size;
  }

  async reserve(tokens: number): Promise<void> {
    const { forms } = this;
    if (this.#general) return;
    const size = forms.sizeFor(this.#position + tokens);
    if (size <= this.#size) return;
    const { layers } = resized(forms.config, await this.#state(), size);
    this.#replace(layers, size);
  }

  async read(ids: ArrayLike<number>): Promise<Float32Array> {
    const { forms } = this;
    const tokens = Int32Array.from(ids);
    let logits: DeviceArray | undefined;
    for (let at = 0; at < tokens.length; ) {
      const rest = tokens.subarray(at);
      const room = slotsOf(forms.config) - this.#position;
      if (!this.#general && room === 0) await this.#generalise(await this.state());
      if (this.#general) {
        logits?.dispose();
        return this.#general.read(rest);
      }
      await this.reserve(rest.length);
      const piece = rest.slice(0, Math.min(room, forms.rowsFor(this.#size)));
      const result = await forms.read(piece, this.#position, this.#size, this.#layers);
      logits?.dispose();
      ({ logits, layers: this.#layers } = result);
      this.#position += piece.length;
      at += piece.length;
    }
    const values = (await logits!.data()) as Float32Array;
    logits!.dispose();
    return values;
  }

  async state(): Promise<unknown> {
    if (this.#general) return this.#general.state();
    const { config } = this.forms;
    return resized(config, await this.#state(), slotsOf(config));
  }

  async restore(state: unknown): Promise<void> {
    const { forms } = this;
    const given = state as TransformerState<NDArray>;
    const position = given.position.data[0]!;
    const size = forms.sizeFor(position);
    const ordered = inOrderOfPositions(forms.config, given, size);
    if (!ordered) return this.#generalise(given);
    await this.#leaveGeneral();
    this.#replace(ordered.layers, size);
    this.#position = position;
  }

  async reset(): Promise<void> {
    await this.#leaveGeneral();
    disposeTree(this.#layers);
    this.#position = 0;
    this.#size = this.forms.sizeFor(0);
    this.#layers = this.forms.empty(this.#size);
  }

  async fork(): Promise<FusedDecoder<P>> {
    const copy = new FusedDecoder(this.forms);
    await copy.restore(await this.state());
    return copy;
  }

  async dispose(): Promise<void> {
    await this.#general?.dispose();
    disposeTree(this.#layers);
    this.#layers = [];
    this.forms.users -= 1;
    if (this.forms.users === 0) await this.forms.dispose();
  }

  /** The memory on the host, of as many slots as it has. */
  async #state(): Promise<TransformerState<NDArray>> {
    const layers = (await toHost(this.#layers)) as FusedCaches<NDArray>;
    const positions = Int32Array.from({ length: this.#size }, (_, slot) =>
      slot < this.#position ? slot : -1,
    );
    return {
      position: ndarray(Int32Array.of(this.#position), [1], 'int32'),
      positions: ndarray(positions, [1, 1, this.#size], 'int32'),
      layers,
    };
  }

  #replace(layers: FusedCaches<NDArray>, size: number): void {
    disposeTree(this.#layers);
    this.#layers = this.forms.engine.put(layers);
    this.#size = size;
  }

  async #generalise(state: unknown): Promise<void> {
    this.#general ??= await this.forms.general();
    await this.#general.restore(state);
    disposeTree(this.#layers);
    this.#layers = [];
  }

  async #leaveGeneral(): Promise<void> {
    await this.#general?.dispose();
    this.#general = undefined;
  }
}
